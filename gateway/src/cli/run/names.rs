//! What is known of the resources' names: every address that a workload may have been told, and when to ask again.
//!
//! Workloads ask for themselves, and not at the same moment: of an answer that rotates or has just changed they may hold
//! another part than the gateway. An address that was one of a name's stays covered for a while.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_ebpf::ENDPOINTS_MAX;

use crate::config::directory::{Directory, Family, Listing};
use crate::config::{Config, Resource};

/// The shortest and the longest time until a name is asked for again, whatever its record says.
pub(super) const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// How long an address stays one of a name's after the last answer that held it, at least.
const GRACE: Duration = Duration::from_secs(3600);

/// How many addresses of one family a name has at most; the oldest leave first.
const MOST: usize = 64;

/// How long a question that nobody has answered is taken to be under way.
const LOST: Duration = Duration::from_secs(60);

/// A name and one of its kinds of addresses.
pub(super) type Question = (Arc<str>, Family);

/// What came of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its addresses, and how long the answer holds.
    Addresses(Vec<IpAddr>, Duration),
    /// It has none of that family.
    None,
    /// Nobody knows.
    Failed(String),
}

/// Every name of a configuration.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<Question, Known>,
    most: usize,
}

#[derive(Debug)]
struct Known {
    /// The newest answer; absent: there was none yet.
    newest: Option<Vec<IpAddr>>,
    /// How long that answer held.
    held: Duration,
    /// What was in answers before, the oldest first, and how long it counts.
    earlier: Vec<(IpAddr, Instant)>,
    /// Whether the newest answer was larger than what is kept.
    cut: bool,
    /// When to ask.
    due: Instant,
    failing: bool,
}

impl Names {
    /// Takes the names of a configuration. What is known of those that it shares with the one before stays.
    pub(super) fn follow(&mut self, config: &Config, now: Instant) {
        let mut hosts: Vec<&str> = config.resources.values().filter_map(|resource| host(resource)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        self.known.retain(|(host, _), _| hosts.binary_search(&&**host).is_ok());
        for name in &hosts {
            for family in Family::ALL {
                self.known.entry((Arc::from(*name), family)).or_insert_with(|| Known::new(now));
            }
        }
        // Together they take half of the kernel's table, which holds those of two configurations while one follows the
        // other; with one place for each that may be anywhere.
        let share = (ENDPOINTS_MAX as usize / 2).checked_div(self.known.len()).unwrap_or(MOST).saturating_sub(1);
        self.most = share.clamp(1, MOST);
    }

    /// What to ask now; it is taken to be under way from here on.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Question> {
        let due = self.known.iter_mut().filter(|(_, known)| known.due <= now);
        due.map(|(question, known)| {
            known.due = after(now, LOST);
            question.clone()
        })
        .collect()
    }

    /// When something is to be done next.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let expiring = self.known.values().flat_map(|known| known.earlier.iter().map(|(_, until)| *until));
        let due = self.known.values().map(|known| known.due);
        due.chain(expiring).min().unwrap_or_else(|| after(now, AGAIN.1))
    }

    /// Takes an answer. Whether the directory is another now.
    pub(super) fn answer(&mut self, question: &Question, answer: Answer, now: Instant) -> bool {
        let (host, family) = question;
        let other = match family {
            Family::V4 => Family::V6,
            Family::V6 => Family::V4,
        };
        let elsewhere = self.known.get(&(Arc::clone(host), other)).is_some_and(Known::has_addresses);
        let most = self.most;
        let Some(known) = self.known.get_mut(question) else { return false };
        let before = (known.newest.clone(), known.addresses().collect::<Vec<_>>(), known.cut);
        match answer {
            Answer::Addresses(addresses, held) => known.renew(addresses, held, most, now),
            // A name that has nothing any more would leave its server uncovered.
            Answer::None if known.has_addresses() && !elsewhere => known.fail(question, "it has no address", now),
            Answer::None => known.renew(Vec::new(), AGAIN.0, most, now),
            Answer::Failed(error) => known.fail(question, &error, now),
        }
        before != (known.newest.clone(), known.addresses().collect(), known.cut)
    }

    /// Forgets what was in an answer too long ago. Whether the directory is another now.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let mut changed = false;
        for known in self.known.values_mut() {
            let before = known.earlier.len();
            known.earlier.retain(|(_, until)| *until > now);
            changed |= known.earlier.len() != before;
        }
        changed
    }

    /// The directory of a configuration's resources, by what is known now.
    pub(super) fn directory(&self, config: &Config) -> Directory {
        Directory::new(config.resources.values().map(|resource| self.listing(resource)).collect())
    }

    fn listing(&self, resource: &Arc<Resource>) -> Listing {
        let port = resource.address.port;
        if let Some(ip) = resource.address.ip() {
            let addresses: Arc<[SocketAddr]> = [SocketAddr::new(ip, port)].into();
            return Listing {
                resource: Arc::clone(resource),
                upstream: Arc::clone(&addresses),
                addresses,
                unknown: Vec::new(),
            };
        }
        let host: Arc<str> = resource.address.host.as_str().into();
        let of = |family| self.known.get(&(Arc::clone(&host), family));
        // In the order in which they are tried.
        let families = [Family::V6, Family::V4];
        let found = families.into_iter().filter_map(of);
        let newest = found.clone().flat_map(|known| known.newest.iter().flatten().copied());
        let upstream: Arc<[SocketAddr]> = newest.map(|ip| SocketAddr::new(ip, port)).collect();
        let addresses = found.flat_map(|known| known.addresses()).map(|ip| SocketAddr::new(ip, port)).collect();
        let unknown = Family::ALL.into_iter().filter(|family| {
            let whole = of(*family).is_some_and(|known| known.newest.is_some() && !known.cut);
            !whole || upstream.is_empty()
        });
        Listing { resource: Arc::clone(resource), unknown: unknown.collect(), upstream, addresses }
    }
}

impl Known {
    fn new(now: Instant) -> Self {
        Known { newest: None, held: AGAIN.0, earlier: Vec::new(), cut: false, due: now, failing: false }
    }

    fn has_addresses(&self) -> bool {
        self.newest.as_ref().is_some_and(|newest| !newest.is_empty())
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.newest.iter().flatten().copied().chain(self.earlier.iter().map(|(ip, _)| *ip))
    }

    fn renew(&mut self, mut addresses: Vec<IpAddr>, held: Duration, most: usize, now: Instant) {
        self.cut = addresses.len() > most;
        addresses.truncate(most);
        let until = after(now, GRACE.max(self.held));
        let left = self.newest.take().unwrap_or_default().into_iter().map(|ip| (ip, until));
        self.earlier.extend(left);
        self.earlier.retain(|(ip, until)| *until > now && !addresses.contains(ip));
        let most = most.saturating_sub(addresses.len());
        self.earlier.drain(..self.earlier.len().saturating_sub(most));
        self.newest = Some(addresses);
        self.held = held;
        self.due = after(now, held.clamp(AGAIN.0, AGAIN.1));
        self.failing = false;
    }

    /// What was known stays. Said once, not at every attempt.
    fn fail(&mut self, (host, family): &Question, error: &str, now: Instant) {
        self.due = after(now, AGAIN.0);
        if !std::mem::replace(&mut self.failing, true) {
            let known = self.newest.is_some();
            tracing::warn!(host = %host, ?family, error = %error.escape_debug(), known, "a name does not resolve; its last addresses stay");
        }
    }
}

fn host(resource: &Resource) -> Option<&str> {
    resource.address.ip().is_none().then_some(resource.address.host.as_str())
}

fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::ThisNode;
    use crate::config::directory::Found;

    const TTL: Duration = Duration::from_secs(60);

    fn config(resources: &[(&str, &str)]) -> Config {
        let mut text = "state_dir = \"/s\"\npolicies = \"/p\"\n".to_owned();
        for (name, address) in resources {
            text.push_str(&format!("[resources.{name}]\nprotocol = \"postgres\"\naddress = \"{address}\"\n"));
        }
        Config::parse(Path::new("/gateway.toml"), &text, &ThisNode).unwrap()
    }

    struct Fixture {
        config: Config,
        names: Names,
        now: Instant,
    }

    impl Fixture {
        fn new(resources: &[(&str, &str)]) -> Self {
            let mut fixture = Fixture { config: config(resources), names: Names::default(), now: Instant::now() };
            fixture.names.follow(&fixture.config, fixture.now);
            fixture
        }

        fn say(&mut self, family: Family, answer: Answer) -> bool {
            self.names.answer(&("db".into(), family), answer, self.now)
        }

        fn v4(&mut self, last: &[u8]) -> bool {
            self.say(Family::V4, addresses(last))
        }

        /// What is at an address of 192.0.2.0/24, or at 2001:db8::1.
        fn at(&self, last: Option<u8>) -> &'static str {
            let address = match last {
                Some(last) => SocketAddr::new(IpAddr::from([192, 0, 2, last]), 5432),
                None => "[2001:db8::1]:5432".parse().unwrap(),
            };
            let directory = self.names.directory(&self.config);
            let covered = directory.covered();
            let any = SocketAddr::new(Family::of(address.ip()).unspecified(), 5432);
            match directory.find(address) {
                Found::Listed(_) => assert!(covered.contains(&address)),
                Found::Unknown(_) => assert!(covered.contains(&any)),
                _ => assert!(!covered.contains(&address) && !covered.contains(&any)),
            }
            match directory.find(address) {
                Found::Listed(_) => "listed",
                Found::Contested(_) => "contested",
                Found::Unknown(_) => "unknown",
                Found::Unlisted => "unlisted",
            }
        }

        fn upstream(&self) -> Vec<String> {
            let directory = self.names.directory(&self.config);
            directory.get("a").unwrap().upstream.iter().map(|a| a.ip().to_string()).collect()
        }
    }

    fn addresses(last: &[u8]) -> Answer {
        Answer::Addresses(last.iter().map(|last| IpAddr::from([192, 0, 2, *last])).collect(), TTL)
    }

    #[test]
    fn a_name_that_nobody_has_answered_for_may_be_anywhere() {
        let mut fixture = Fixture::new(&[("a", "db:5432")]);
        assert_eq!((fixture.at(Some(1)), fixture.at(None)), ("unknown", "unknown"));
        assert!(!fixture.say(Family::V4, Answer::Failed("no route".into())));
        assert_eq!(fixture.at(Some(1)), "unknown");
        assert!(fixture.v4(&[1]));
        assert_eq!((fixture.at(Some(1)), fixture.at(Some(2)), fixture.at(None)), ("listed", "unlisted", "unknown"));
        assert!(fixture.say(Family::V6, Answer::None));
        assert_eq!(fixture.at(None), "unlisted");
    }

    #[test]
    fn a_name_that_is_none_may_be_anywhere() {
        let mut fixture = Fixture::new(&[("a", "db:5432")]);
        fixture.say(Family::V4, Answer::None);
        fixture.say(Family::V6, Answer::None);
        assert_eq!((fixture.at(Some(1)), fixture.at(None)), ("unknown", "unknown"));
    }

    #[test]
    fn addresses_of_earlier_answers_stay_covered_for_a_while_and_upstream_is_the_newest() {
        let mut fixture = Fixture::new(&[("a", "db:5432")]);
        fixture.say(Family::V6, Answer::None);
        fixture.v4(&[1]);
        assert!(fixture.v4(&[2]));
        assert!(!fixture.v4(&[2]), "nothing new");
        assert_eq!((fixture.at(Some(1)), fixture.at(Some(2))), ("listed", "listed"));
        assert_eq!(fixture.upstream(), ["192.0.2.2"]);
        fixture.now += GRACE - Duration::from_secs(1);
        assert!(!fixture.names.expire(fixture.now));
        assert_eq!(fixture.at(Some(1)), "listed");
        fixture.now += Duration::from_secs(1);
        assert!(fixture.names.expire(fixture.now));
        assert_eq!((fixture.at(Some(1)), fixture.at(Some(2))), ("unlisted", "listed"));
    }

    #[test]
    fn a_long_answer_is_kept_as_long_as_workloads_may_keep_it() {
        let mut fixture = Fixture::new(&[("a", "db:5432")]);
        let day = Duration::from_secs(86_400);
        fixture.say(Family::V4, Answer::Addresses(vec![IpAddr::from([192, 0, 2, 1])], day));
        fixture.say(Family::V6, Answer::None);
        fixture.v4(&[2]);
        fixture.now += day - Duration::from_secs(1);
        fixture.names.expire(fixture.now);
        assert_eq!(fixture.at(Some(1)), "listed");
    }

    #[test]
    fn what_does_not_resolve_any_more_keeps_its_addresses_for_ever() {
        let mut fixture = Fixture::new(&[("a", "db:5432")]);
        fixture.v4(&[1]);
        fixture.say(Family::V6, Answer::Addresses(vec!["2001:db8::1".parse().unwrap()], TTL));
        // One family fails: it keeps what it had.
        assert!(!fixture.say(Family::V6, Answer::Failed("SERVFAIL".into())));
        fixture.v4(&[1]);
        fixture.now += 3 * GRACE;
        fixture.names.expire(fixture.now);
        assert_eq!((fixture.at(Some(1)), fixture.at(None)), ("listed", "listed"));
        // The name is gone: the last that is known stays.
        fixture.say(Family::V4, Answer::None);
        fixture.say(Family::V6, Answer::None);
        fixture.now += 3 * GRACE;
        fixture.names.expire(fixture.now);
        assert_eq!(fixture.at(None), "listed");
        assert_eq!(fixture.upstream(), ["2001:db8::1"]);
    }

    #[test]
    fn the_oldest_leave_first_and_an_answer_that_is_too_large_leaves_no_gap() {
        let mut fixture = Fixture::new(&[("a", "db:5432")]);
        for last in 0..=MOST {
            fixture.v4(&[u8::try_from(last).unwrap()]);
        }
        assert_eq!((fixture.at(Some(0)), fixture.at(Some(1))), ("unlisted", "listed"));
        let many: Vec<u8> = (0..=u8::try_from(MOST).unwrap()).collect();
        fixture.v4(&many);
        assert_eq!(fixture.at(Some(u8::try_from(MOST).unwrap())), "unknown");
    }

    #[test]
    fn a_reload_keeps_what_is_known_and_asks_only_for_what_is_new() {
        let mut fixture = Fixture::new(&[("a", "db:5432")]);
        assert_eq!(fixture.names.due(fixture.now).len(), 2);
        assert!(fixture.names.due(fixture.now).is_empty(), "under way");
        fixture.v4(&[1]);
        fixture.say(Family::V6, Answer::None);
        fixture.config = config(&[("a", "db:5432"), ("b", "other:5432")]);
        assert_eq!(fixture.at(Some(1)), "listed", "before anything is asked");
        assert_eq!(fixture.at(Some(2)), "unknown", "b may be there");
        fixture.names.follow(&fixture.config, fixture.now);
        let asked: Vec<String> = fixture.names.due(fixture.now).iter().map(|(host, _)| host.to_string()).collect();
        assert_eq!(asked, ["other", "other"]);
        // A resource that has moved to another name is not at the old one's addresses.
        fixture.config = config(&[("a", "other:5432")]);
        fixture.names.follow(&fixture.config, fixture.now);
        assert_eq!(fixture.at(Some(1)), "unknown");
    }
}
