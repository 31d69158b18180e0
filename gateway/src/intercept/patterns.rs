//! The cgroup patterns of all workloads as one automaton over the bytes of a path: what labels a cgroup, here and in
//! the kernel, and what finds two workloads that claim the same one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gateway_ebpf::{NO_LABEL, PATH_MAX, PATTERN_DEPTH, PATTERN_HALF};

use crate::access::Name;
use crate::config::CgroupPattern;

/// Why patterns cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum PatternsError {
    /// Two workloads would have the same cgroup.
    #[error("workloads {one} and {other} both match the cgroup {example}: a cgroup belongs to one workload")]
    Ambiguous {
        /// A workload.
        one: Name,
        /// The other.
        other: Name,
        /// A path that both match.
        example: String,
    },
    /// The kernel side cannot hold them.
    #[error(
        "the workloads' cgroup patterns are too many or have too many `*`: together they need more than {} states",
        PATTERN_HALF - 2
    )]
    TooComplex,
    /// A pattern is deeper than the kernel side looks.
    #[error("workload {workload}: its cgroup pattern is deeper than {PATTERN_DEPTH} levels")]
    TooDeep {
        /// The workload.
        workload: Name,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// Any bytes but `/`, or none.
    Star,
}

/// Where in which patterns a path so far may be: (pattern, token).
type Positions = BTreeSet<(usize, usize)>;

/// One state: the label of a path that ends here, and the next state by byte; 0 is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) label: u32,
    pub(super) next: Box<[u16; 256]>,
}

/// A deterministic automaton. State 0 is dead, state 1 the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Automaton {
    pub(super) states: Vec<State>,
    /// Whether a path can match that is longer than the kernel reports.
    pub(super) long: bool,
}

impl Automaton {
    /// From the patterns of workloads and their labels.
    pub(super) fn new(patterns: &[(Name, u32, &CgroupPattern)]) -> Result<Self, PatternsError> {
        for (workload, _, pattern) in patterns {
            if pattern.segments.len() > PATTERN_DEPTH as usize {
                return Err(PatternsError::TooDeep { workload: workload.clone() });
            }
        }
        let tokens: Vec<Vec<Token>> = patterns.iter().map(|(_, _, pattern)| tokens(pattern)).collect();
        let long = patterns.iter().any(|(_, _, pattern)| longest(pattern) >= PATH_MAX);
        Build { patterns, tokens, numbers: HashMap::new(), states: Vec::new(), paths: Vec::new() }.run(long)
    }

    /// Whether there is any pattern.
    pub(super) fn is_empty(&self) -> bool {
        self.states.len() <= 2
    }

    /// The label of a cgroup whose path from the root this is, not of one below.
    pub(super) fn label(&self, path: &[u8]) -> u32 {
        let mut state = 1_u16;
        for byte in path {
            state = self.state(state).map_or(0, |at| at.next.get(usize::from(*byte)).copied().unwrap_or(0));
            if state == 0 {
                return NO_LABEL;
            }
        }
        self.state(state).map_or(NO_LABEL, |at| at.label)
    }

    /// The label of a cgroup or of the outermost one above it.
    pub(super) fn covers(&self, path: &[u8]) -> u32 {
        let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        ends.chain([path.len()])
            .filter_map(|end| path.get(..end))
            .map(|prefix| self.label(prefix))
            .find(|label| *label != NO_LABEL)
            .unwrap_or(NO_LABEL)
    }

    fn state(&self, number: u16) -> Option<&State> {
        self.states.get(usize::from(number))
    }
}

fn tokens(pattern: &CgroupPattern) -> Vec<Token> {
    let bytes = pattern.segments.iter().flat_map(|segment| std::iter::once(b'/').chain(segment.bytes()));
    let mut tokens: Vec<Token> = bytes.map(|byte| if byte == b'*' { Token::Star } else { Token::Byte(byte) }).collect();
    tokens.dedup_by(|a, b| *a == Token::Star && *b == Token::Star);
    tokens
}

/// The longest path that a pattern can match, with a terminating zero.
fn longest(pattern: &CgroupPattern) -> usize {
    let name = |segment: &String| if segment.contains('*') { 255 } else { segment.len() };
    pattern.segments.iter().map(|segment| name(segment) + 1).sum::<usize>() + 1
}

struct Build<'a> {
    patterns: &'a [(Name, u32, &'a CgroupPattern)],
    tokens: Vec<Vec<Token>>,
    numbers: HashMap<Positions, u16>,
    states: Vec<State>,
    /// A path that leads to each state.
    paths: Vec<Vec<u8>>,
}

impl Build<'_> {
    fn run(mut self, long: bool) -> Result<Automaton, PatternsError> {
        let dead = State { label: NO_LABEL, next: Box::new([0; 256]) };
        self.states.push(dead);
        self.paths.push(Vec::new());
        let start = self.closure((0..self.tokens.len()).map(|pattern| (pattern, 0)));
        let mut waiting = vec![start.clone()];
        self.add(start, Vec::new())?;
        while let Some(positions) = waiting.pop() {
            let Some(number) = self.numbers.get(&positions).copied() else { continue };
            let at = usize::from(number);
            for (byte, next) in self.moves(&positions) {
                let known = self.numbers.get(&next).copied();
                let target = match known {
                    Some(target) => target,
                    None => {
                        let mut path = self.paths.get(at).cloned().unwrap_or_default();
                        path.push(byte);
                        waiting.push(next.clone());
                        self.add(next, path)?
                    }
                };
                if let Some(slot) = self.states.get_mut(at).and_then(|state| state.next.get_mut(usize::from(byte))) {
                    *slot = target;
                }
            }
        }
        Ok(Automaton { states: self.states, long })
    }

    /// With the positions that a `*` for nothing leads to.
    fn closure(&self, from: impl Iterator<Item = (usize, usize)>) -> Positions {
        let mut all = Positions::new();
        for (pattern, mut token) in from {
            while all.insert((pattern, token)) && self.token(pattern, token) == Some(Token::Star) {
                token += 1;
            }
        }
        all
    }

    fn token(&self, pattern: usize, token: usize) -> Option<Token> {
        self.tokens.get(pattern)?.get(token).copied()
    }

    /// Where each byte leads, without the bytes that lead nowhere.
    fn moves(&self, positions: &Positions) -> Vec<(u8, Positions)> {
        let stars: Vec<(usize, usize)> =
            positions.iter().copied().filter(|(p, t)| self.token(*p, *t) == Some(Token::Star)).collect();
        let mut by_byte: BTreeMap<u8, Vec<(usize, usize)>> = BTreeMap::new();
        for (pattern, token) in positions {
            if let Some(Token::Byte(byte)) = self.token(*pattern, *token) {
                by_byte.entry(byte).or_default().push((*pattern, token + 1));
            }
        }
        let anywhere = self.closure(stars.iter().copied());
        let moves = (0..=u8::MAX).filter(|byte| *byte != 0).filter_map(|byte| match by_byte.get(&byte) {
            Some(own) if byte == b'/' => Some((byte, self.closure(own.iter().copied()))),
            Some(own) => Some((byte, self.closure(own.iter().copied().chain(stars.iter().copied())))),
            None if byte == b'/' || anywhere.is_empty() => None,
            None => Some((byte, anywhere.clone())),
        });
        moves.collect()
    }

    fn add(&mut self, positions: Positions, path: Vec<u8>) -> Result<u16, PatternsError> {
        let ended: Vec<&(Name, u32, &CgroupPattern)> = positions
            .iter()
            .filter(|(pattern, token)| self.tokens.get(*pattern).is_some_and(|tokens| tokens.len() == *token))
            .filter_map(|(pattern, _)| self.patterns.get(*pattern))
            .collect();
        if let Some((first, other)) =
            ended.first().zip(ended.iter().find(|each| Some(each.1) != ended.first().map(|first| first.1)))
        {
            return Err(PatternsError::Ambiguous {
                one: first.0.clone(),
                other: other.0.clone(),
                example: path.escape_ascii().to_string(),
            });
        }
        let label = ended.first().map_or(NO_LABEL, |pattern| pattern.1);
        let number = u16::try_from(self.states.len()).map_err(|_| PatternsError::TooComplex)?;
        if u32::from(number) >= PATTERN_HALF {
            return Err(PatternsError::TooComplex);
        }
        self.states.push(State { label, next: Box::new([0; 256]) });
        self.paths.push(path);
        self.numbers.insert(positions, number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn automaton(patterns: &[&str]) -> Result<Automaton, PatternsError> {
        let parsed: Vec<CgroupPattern> = patterns.iter().map(|text| CgroupPattern::parse(text).unwrap()).collect();
        let labelled: Vec<_> = parsed
            .iter()
            .enumerate()
            .map(|(n, pattern)| (Name::from(format!("w{n}")), n as u32 + 1, pattern))
            .collect();
        Automaton::new(&labelled)
    }

    #[test]
    fn a_cgroup_has_the_label_of_the_pattern_that_its_path_matches() {
        let automaton = automaton(&["/ci.slice/nightly-*", "/ci.slice/a*.service", "/one"]).unwrap();
        for (path, label) in [
            ("/ci.slice/nightly-7", 1),
            ("/ci.slice/nightly-", 1),
            ("/ci.slice/a.service", 2),
            ("/one", 3),
            ("/on", 0),
            ("/ones", 0),
            ("/ci.slice", 0),
            ("/ci.slice/nightly-7/deep", 0),
            ("/ci.slice/x/y.service", 0),
            ("", 0),
        ] {
            assert_eq!(automaton.label(path.as_bytes()), label, "{path}");
        }
        assert_eq!(automaton.covers(b"/ci.slice/nightly-7/deep/er"), 1);
        assert_eq!(automaton.covers(b"/ci.slice/night"), 0);
    }

    #[test]
    fn two_workloads_cannot_have_one_cgroup_and_the_error_shows_which() {
        let Err(PatternsError::Ambiguous { example, .. }) = automaton(&["/ci/a*", "/ci/*b"]) else {
            panic!("both match /ci/ab");
        };
        for pattern in ["/ci/a*", "/ci/*b"] {
            assert!(CgroupPattern::parse(pattern).unwrap().matches(&example), "{example}");
        }
        assert!(automaton(&["/ci/a*", "/ci/b*"]).is_ok());
        assert!(automaton(&["/ci", "/ci/b*"]).is_ok());
    }

    #[test]
    fn what_the_kernel_cannot_hold_is_refused() {
        let many: Vec<String> = (0..200).map(|n| format!("/slice{n}/*job{n}*of*")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(automaton(&many), Err(PatternsError::TooComplex)));
        let deep = "/a".repeat(PATTERN_DEPTH as usize + 1);
        assert!(matches!(automaton(&[&deep]), Err(PatternsError::TooDeep { .. })));
        assert!(automaton(&["/a/*/*/*/*"]).unwrap().long);
        assert!(!automaton(&["/a/*"]).unwrap().long);
        assert!(automaton(&[]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn the_automaton_says_what_the_pattern_says(pattern in "(/[ab*]{1,4}){1,3}", path in "(/[ab]{1,5}){1,4}") {
            if let Ok(parsed) = CgroupPattern::parse(&pattern) {
                let automaton = Automaton::new(&[(Name::from("w"), 7, &parsed)]).unwrap();
                prop_assert_eq!(automaton.label(path.as_bytes()) == 7, parsed.matches(&path));
                prop_assert_eq!(automaton.covers(path.as_bytes()) == 7, parsed.covers(&path));
            }
        }
    }
}
