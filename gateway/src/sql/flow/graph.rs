//! Which values come from which columns: a graph of everything that a statement names, settled once it has been read whole.
//!
//! A node is a column of one item of a FROM list, or a value that was computed from others. What a condition compares is
//! tied together: who knows one side learns of the other, so each becomes as sensitive as the most sensitive of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::size::Size;
use crate::access::{ColumnName, Tags};

/// How much is looked at before where values come from counts as unknown.
const MAX_LOOKS: usize = 20_000_000;

/// Takes some looks from what is left of them.
fn look(left: &mut Option<usize>, looks: usize) {
    *left = left.and_then(|left| left.checked_sub(looks));
}

/// A value of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(u32);

impl Node {
    /// Where it is in what [`Graph::settle`] returns.
    pub(super) fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A column of the database, by its place in [`Graph::sources`].
pub(super) type Source = u32;

#[derive(Debug, Default)]
struct Data {
    /// The column that it is.
    source: Option<Source>,
    /// The value that it is as well: a view's column is the column under it.
    same: Option<Node>,
    /// What it was computed from.
    inputs: Vec<Node>,
    /// Whether it may hold anything.
    unknown: bool,
    /// How long it can be.
    size: Size,
    /// Whether it is compared by another collation than the column's that it is.
    collated: bool,
}

/// Everything that a statement names.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Data>,
    sources: Vec<(Arc<ColumnName>, Tags)>,
    by_name: HashMap<Arc<ColumnName>, Source>,
    ties: Vec<Vec<Node>>,
    /// How many FROM items there are so far.
    rows: u32,
}

/// Where one value comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// The columns that it is, unchanged.
    pub(super) exact: Vec<Source>,
    /// The columns that it was computed from or is tied to.
    pub(super) derived: BTreeSet<Source>,
    /// Whether it may hold anything.
    pub(super) unknown: bool,
}

impl Graph {
    fn add(&mut self, data: Data) -> Node {
        // A statement's text is bounded, and with it the number of its nodes.
        let node = Node(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(data);
        node
    }

    fn data(&mut self, node: Node) -> Option<&mut Data> {
        self.nodes.get_mut(node.place())
    }

    fn get(&self, node: Node) -> Option<&Data> {
        self.nodes.get(node.place())
    }

    /// A column of the database; `same` is what it shows unchanged, where it is a view's.
    pub(super) fn column(&mut self, name: &Arc<ColumnName>, tags: &Tags, same: Option<Node>) -> Node {
        let next = Source::try_from(self.sources.len()).unwrap_or(Source::MAX);
        let source = *self.by_name.entry(Arc::clone(name)).or_insert(next);
        if source == next {
            self.sources.push((Arc::clone(name), tags.clone()));
        }
        let size = same.map_or(Size::ANY, |node| self.size(node));
        let collated = same.is_some_and(|node| self.is_collated(node));
        self.add(Data { source: Some(source), same, size, collated, ..Data::default() })
    }

    /// How long the columns are of one more item of a FROM list.
    pub(super) fn row(&mut self) -> Size {
        self.rows = self.rows.saturating_add(1);
        Size::of_row(self.rows)
    }

    /// How long a value can be: of any length, where nobody said anything else.
    pub(super) fn size(&self, node: Node) -> Size {
        self.get(node).map_or(Size::ANY, |data| data.size)
    }

    /// Says how long a value can be.
    pub(super) fn resize(&mut self, node: Node, size: Size) {
        if let Some(data) = self.data(node) {
            data.size = size;
        }
    }

    /// A value that is another one, unchanged.
    pub(super) fn same(&mut self, as_this: Node) -> Node {
        let (size, collated) = (self.size(as_this), self.is_collated(as_this));
        self.add(Data { same: Some(as_this), size, collated, ..Data::default() })
    }

    /// Whether a value that is a column may be compared otherwise than that.
    pub(super) fn is_collated(&self, node: Node) -> bool {
        self.get(node).is_some_and(|data| data.collated)
    }

    /// The same value, compared otherwise.
    pub(super) fn collated(&mut self, as_this: Node) -> Node {
        let node = self.same(as_this);
        if let Some(data) = self.data(node) {
            data.collated = true;
        }
        node
    }

    /// A value that was computed from these.
    pub(super) fn derived(&mut self, inputs: Vec<Node>) -> Node {
        self.add(Data { inputs, ..Data::default() })
    }

    /// A value that may hold anything.
    pub(super) fn unknown(&mut self, inputs: Vec<Node>) -> Node {
        self.add(Data { inputs, unknown: true, ..Data::default() })
    }

    /// Adds to what a value is computed from.
    pub(super) fn feed(&mut self, node: Node, inputs: impl IntoIterator<Item = Node>) {
        let inputs: Vec<Node> = inputs.into_iter().collect();
        let collated = inputs.iter().any(|input| self.is_collated(*input));
        if let Some(data) = self.data(node) {
            data.inputs.extend(inputs);
            data.collated |= collated;
        }
    }

    /// Makes each as sensitive as the others, and what they were computed from.
    pub(super) fn tie(&mut self, nodes: &[Node]) {
        if nodes.len() > 1 {
            self.ties.push(nodes.to_vec());
        }
    }

    /// Whether it is a relation's column, and not one that a query shows.
    pub(super) fn is_column(&self, node: Node) -> bool {
        self.get(node).is_some_and(|data| data.source.is_some())
    }

    /// The columns that a value is, unchanged: its own, and those under a view's.
    pub(super) fn exact(&self, node: Node) -> Vec<Source> {
        let (mut found, mut at, mut steps) = (Vec::new(), Some(node), 0);
        while let Some(data) = at.and_then(|node| self.get(node)) {
            found.extend(data.source);
            at = data.same;
            steps += 1;
            if steps > self.nodes.len() {
                break;
            }
        }
        found
    }

    /// A column's name and tags.
    pub(super) fn source(&self, source: Source) -> Option<&(Arc<ColumnName>, Tags)> {
        self.sources.get(usize::try_from(source).ok()?)
    }

    /// Whether a column that has tags was named, or stood beside one that was.
    pub(super) fn any_tagged(&self) -> bool {
        self.sources.iter().any(|(_, tags)| !tags.is_empty())
    }

    /// All columns of everything that was named.
    pub(super) fn columns(&self) -> impl Iterator<Item = &ColumnName> {
        self.sources.iter().map(|(name, _)| &**name)
    }

    /// The tags of the columns that a value is.
    pub(super) fn exact_tags(&self, node: Node) -> Tags {
        let tags = self.exact(node).into_iter().filter_map(|source| self.source(source));
        tags.fold(Tags::default(), |all, (_, tags)| all.union(tags))
    }

    /// Everything that each value comes from: first without, then with what it is tied to; and whether it was found out, which takes
    /// no more than so many looks. Where it was not, each may hold anything.
    pub(super) fn settle(&self) -> (Vec<Reach>, Vec<Reach>, bool) {
        let mut left = Some(MAX_LOOKS);
        let mut reach: Vec<Reach> = (0u32..)
            .map(Node)
            .take(self.nodes.len())
            .map(|node| Reach {
                exact: self.exact(node),
                derived: BTreeSet::new(),
                unknown: self.get(node).is_some_and(|data| data.unknown),
            })
            .collect();
        self.spread(&mut reach, &mut left);
        let untied = reach.clone();
        self.spread_ties(&mut reach, &mut left);
        if left.is_some() {
            return (untied, reach, true);
        }
        let anything = || vec![Reach { unknown: true, ..Reach::default() }; self.nodes.len()];
        (anything(), anything(), false)
    }

    fn spread_ties(&self, reach: &mut [Reach], left: &mut Option<usize>) {
        let tagged: BTreeSet<Source> = (0u32..)
            .zip(&self.sources)
            .filter_map(|(source, (_, tags))| (!tags.is_empty()).then_some(source))
            .collect();
        let unknown = self.nodes.iter().any(|data| data.unknown);
        if self.ties.is_empty() || (tagged.is_empty() && !unknown) {
            return;
        }
        let mut ties: Vec<BTreeSet<Node>> = Vec::with_capacity(self.ties.len());
        for tie in &self.ties {
            let tied = self.ancestors(tie);
            look(left, tied.len());
            ties.push(tied);
            if left.is_none() {
                return;
            }
        }
        loop {
            let mut changed = false;
            for tie in &ties {
                let (mut all, mut anything) = (BTreeSet::new(), false);
                for node in tie {
                    let Some(one) = reach.get(node.place()) else { continue };
                    look(left, one.derived.len().saturating_add(1));
                    all.extend(one.exact.iter().chain(&one.derived).filter(|source| tagged.contains(source)));
                    anything |= one.unknown;
                }
                for node in tie {
                    let Some(one) = reach.get_mut(node.place()) else { continue };
                    look(left, all.len());
                    let before = (one.derived.len(), one.unknown);
                    one.derived.extend(all.iter().filter(|source| !one.exact.contains(source)));
                    one.unknown |= anything;
                    changed |= before != (one.derived.len(), one.unknown);
                }
                if left.is_none() {
                    return;
                }
            }
            changed |= self.spread(reach, left);
            if !changed || left.is_none() {
                return;
            }
        }
    }

    /// Hands what each value comes from to what was computed from it, until nothing is new; whether anything was.
    fn spread(&self, reach: &mut [Reach], left: &mut Option<usize>) -> bool {
        let mut ever = false;
        loop {
            let mut changed = false;
            for (at, data) in self.nodes.iter().enumerate() {
                let (mut more, mut unknown) = (BTreeSet::new(), false);
                for input in &data.inputs {
                    let Some(one) = reach.get(input.place()) else { continue };
                    look(left, one.derived.len().saturating_add(1));
                    more.extend(one.exact.iter().chain(&one.derived));
                    unknown |= one.unknown;
                }
                if let Some(one) = data.same.and_then(|node| reach.get(node.place())) {
                    look(left, one.derived.len());
                    more.extend(&one.derived);
                    unknown |= one.unknown;
                }
                if left.is_none() {
                    return ever;
                }
                let Some(this) = reach.get_mut(at) else { continue };
                let before = (this.derived.len(), this.unknown);
                this.derived.extend(more.into_iter().filter(|source| !this.exact.contains(source)));
                this.unknown |= unknown;
                changed |= before != (this.derived.len(), this.unknown);
            }
            ever |= changed;
            if !changed {
                return ever;
            }
        }
    }

    fn ancestors(&self, nodes: &[Node]) -> BTreeSet<Node> {
        let (mut found, mut open) = (BTreeSet::new(), nodes.to_vec());
        while let Some(node) = open.pop() {
            if found.insert(node)
                && let Some(data) = self.get(node)
            {
                open.extend(data.inputs.iter().chain(&data.same));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::TableName;

    fn name(column: &str) -> Arc<ColumnName> {
        let table = TableName { database: "d".into(), schema: "s".into(), table: "t".into() };
        Arc::new(ColumnName { table, column: column.into() })
    }

    #[test]
    fn what_is_compared_with_a_tagged_column_is_as_sensitive_and_so_is_what_it_was_made_of() {
        let mut graph = Graph::default();
        let ssn = graph.column(&name("ssn"), &Tags::new(["pii".into()]), None);
        let id = graph.column(&name("id"), &Tags::default(), None);
        let other = graph.column(&name("other"), &Tags::default(), None);
        let computed = graph.derived(vec![id]);
        let more = graph.derived(vec![id]);
        graph.tie(&[ssn, computed]);
        let (untied, tied, _) = graph.settle();
        let reaches = |reach: &[Reach], node: Node| {
            let one = &reach[node.0 as usize];
            one.derived.contains(&0) || one.exact.contains(&0)
        };
        assert!(!reaches(&untied, id) && !reaches(&untied, computed));
        assert!(reaches(&tied, id) && reaches(&tied, computed) && reaches(&tied, more) && !reaches(&tied, other));
    }

    #[test]
    fn a_column_of_a_view_is_the_column_under_it() {
        let mut graph = Graph::default();
        let base = graph.column(&name("ssn"), &Tags::new(["pii".into()]), None);
        let shown = graph.same(base);
        let view = graph.column(&name("v"), &Tags::default(), Some(shown));
        assert_eq!(graph.exact(view), [1, 0]);
        assert!(!graph.exact_tags(view).is_empty());
    }
}
