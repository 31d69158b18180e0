//! Where what the suite's tests print through the gateway differs from what they print directly, and whether that is known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{Display, Formatter};

use anyhow::{Context, Result, anyhow, ensure};

/// The tests that may print something else beside a sensitive table, in which ways, and why.
const LISTED: &str = include_str!("differs.txt");

/// What a message says whose text the server's is not.
const WITHHELD: &str = "the server's text is withheld";

/// What a client says when its session is over before it is.
const ENDED: &str = "connection to server was lost";

/// The ways in which a test differs: the words of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Way {
    /// A message without its text.
    Messages,
    /// Other rows.
    Rows,
    /// The session was over before the test was. Nothing that is listed may be that.
    Ended,
}

/// A test that prints something else.
struct Difference {
    ways: BTreeSet<Way>,
    /// The first place where it does.
    place: String,
}

/// The tests that print something else.
pub(crate) struct Differing(BTreeMap<String, Difference>);

impl Differing {
    /// Compares two runs.
    pub(crate) fn between(direct: &BTreeMap<String, String>, gateway: &BTreeMap<String, String>) -> Self {
        let mut differ = BTreeMap::new();
        for (test, printed) in direct {
            let other = gateway.get(test).map_or("", String::as_str);
            if other != printed {
                let difference = Difference { ways: ways(printed, other), place: place(printed, other) };
                differ.insert(test.trim_end_matches(".out").to_owned(), difference);
            }
        }
        Self(differ)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Fails if a test differs in a way that is not listed, or does not in one that is.
    pub(crate) fn as_listed(&self, direct: &BTreeMap<String, String>) -> Result<()> {
        let listed = listed()?;
        let unknown = listed.keys().filter(|test| !direct.contains_key(&format!("{test}.out")));
        let unknown: String =
            unknown.filter(|test| !direct.contains_key(**test)).map(|test| format!(" {test}")).collect();
        ensure!(unknown.is_empty(), "listed in differs.txt, and no tests:{unknown}");
        let (mut news, mut same) = (String::new(), String::new());
        for (test, difference) in &self.0 {
            let known = listed.get(test.as_str());
            let new: Vec<&Way> =
                difference.ways.iter().filter(|way| !known.is_some_and(|known| known.contains_key(way))).collect();
            if !new.is_empty() {
                news.push_str(&format!("=== {test}, {new:?}, {}", difference.place));
            }
        }
        for (test, ways) in &listed {
            let found = |way: &Way| self.0.get(*test).is_some_and(|difference| difference.ways.contains(way));
            let always = ways.iter().filter(|(_, always)| **always).map(|(way, _)| way);
            let gone: Vec<&Way> = always.filter(|way| !found(way)).collect();
            if !gone.is_empty() {
                same.push_str(&format!(" {test} {gone:?}"));
            }
        }
        ensure!(
            news.is_empty() && same.is_empty(),
            "of {} tests {} differ\nlisted in differs.txt, and the same:{same}\nnot listed there:\n{news}",
            direct.len(),
            self.len()
        );
        Ok(())
    }
}

impl Display for Differing {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(test, difference)| write!(f, "=== {test}, {}", difference.place))
    }
}

/// The tests of the list, in which ways they differ, and whether always.
fn listed() -> Result<BTreeMap<&'static str, BTreeMap<Way, bool>>> {
    let lines = LISTED.lines().filter_map(|line| line.split('#').next()).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (test, words) = line.split_once(' ').with_context(|| format!("differs.txt: {line}: how?"))?;
            let way = |word: &str| match word.trim_end_matches('?') {
                "messages" => Ok((Way::Messages, !word.ends_with('?'))),
                "rows" => Ok((Way::Rows, !word.ends_with('?'))),
                other => Err(anyhow!("differs.txt: {test}: {other} is no way to differ")),
            };
            Ok((test, words.split_whitespace().map(way).collect::<Result<_>>()?))
        })
        .collect()
}

/// In which ways a text differs: by the lines that it has more than the other.
fn ways(printed: &str, other: &str) -> BTreeSet<Way> {
    let mut had: HashMap<&str, usize> = HashMap::new();
    for line in printed.lines() {
        let count = had.entry(line).or_default();
        *count = count.saturating_add(1);
    }
    let mut ways = BTreeSet::new();
    for line in other.lines() {
        match had.get_mut(line) {
            Some(count) if *count > 0 => *count = count.saturating_sub(1),
            _ if line.contains(ENDED) => {
                ways.insert(Way::Ended);
            }
            _ if line.contains(WITHHELD) => {
                ways.insert(Way::Messages);
            }
            _ => {
                ways.insert(Way::Rows);
            }
        }
    }
    if ways.is_empty() {
        // It only has less.
        ways.insert(Way::Rows);
    }
    ways
}

/// The first place where two texts differ, with what is around it.
fn place(printed: &str, other: &str) -> String {
    let first = printed.lines().zip(other.lines()).position(|(one, other)| one != other);
    let at = first.unwrap_or_else(|| printed.lines().count().min(other.lines().count()));
    let around = |text: &str| text.lines().skip(at.saturating_sub(3)).take(8).collect::<Vec<_>>().join("\n");
    format!(
        "line {}\n--- directly\n{}\n--- through the gateway\n{}\n",
        at.saturating_add(1),
        around(printed),
        around(other)
    )
}
