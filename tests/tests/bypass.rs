//! Every known way around the gateway, tried by a labelled process and watched at the other host. Each is tried by an
//! unlabelled process as well: a way that leads nowhere proves nothing.

#[path = "bypass/failing.rs"]
mod failing;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Cgroup, Netns, Place, Process, Setup, Sluice, Sniffer, eventually, run};

/// A way, what stops it, and how the kernel side counts that.
struct Row {
    way: &'static str,
    /// The program that stops it, for the reader.
    stopped_by: &'static str,
    /// The counter that grows. The gateway itself refuses what is redirected: the destination is unlisted.
    counter: &'static str,
    /// What the sniffer looks for; `PORT` is the row's. What is redirected and leaves all the same has another.
    seen_as: &'static str,
    /// Whether the process begins in the other cgroup and moves.
    begins_outside: bool,
}

const fn row(way: &'static str, stopped_by: &'static str, counter: &'static str) -> Row {
    Row { way, stopped_by, counter, seen_as: "port PORT", begins_outside: false }
}

const TABLE: [Row; 34] = [
    row("tcp4", "connect4", "redirected"),
    row("tcp6", "connect6", "redirected"),
    row("tcp_mapped", "connect6", "redirected"),
    row("tcp_nonblocking", "connect4", "redirected"),
    row("tcp_bound", "connect4", "redirected"),
    row("tcp_bound_address", "connect4", "redirected"),
    row("tcp_mapped_bound_address", "connect6", "redirected"),
    row("tcp_device", "connect4", "redirected"),
    row("fastopen", "connect4", "redirected"),
    row("fastopen6", "connect6", "redirected"),
    row("fastopen_connect", "connect4", "redirected"),
    row("mptcp", "connect4", "redirected"),
    row("again", "connect4", "redirected"),
    row("repair", "connect4", "redirected"),
    row("uring_connect", "connect4", "redirected"),
    row("uring_sqpoll", "connect4", "redirected"),
    row("udp4", "sendmsg4", "udp"),
    row("udp6", "sendmsg6", "udp"),
    row("udp_mapped", "sendmsg4", "udp"),
    row("udp_connected", "connect4", "udp"),
    row("udp6_connected", "connect6", "udp"),
    Row { seen_as: "ip proto 136", ..row("udplite", "sock_create", "protocol") },
    row("raw_udp", "sock_create", "protocol"),
    row("raw_tcp", "sock_create", "protocol"),
    Row { begins_outside: true, ..row("made_outside", "connect4, by the task's label", "redirected") },
    row("made_inside", "connect4, by the socket's label", "redirected"),
    row("udp_made_inside", "sendmsg4, by the socket's label", "udp"),
    row("given_away", "connect4, by the socket's label", "redirected"),
    Row { seen_as: BY_SEGMENTS, ..row("segments", "egress", "egress") },
    Row { seen_as: BY_SEGMENTS, ..row("segments_after", "egress", "egress") },
    Row { seen_as: BY_OPTIONS, ..row("source_route", "egress", "egress") },
    Row { seen_as: BY_OPTIONS, ..row("source_route_after", "egress", "egress") },
    Row { seen_as: BY_DEVICE, ..row("device_after", "egress", "egress") },
    // To the egress guard a socket of an unlabelled cgroup, until it is told otherwise.
    Row { seen_as: BY_DEVICE, begins_outside: true, ..row("device_after_made_outside", "egress", "egress") },
];

const BY_SEGMENTS: &str = "ip6 proto 43";
const BY_DEVICE: &str = "tcp and (port PORT or net 127.0.0.0/8)";
const BY_OPTIONS: &str = "tcp and ip[0] & 0xf > 5";

/// The first row's port.
const FIRST: u16 = 7001;

const POLICY: &str = "@id(\"none\") forbid (principal, action, resource);";

fn ways() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bypass/ways.py")
}

struct Try<'a> {
    far: &'a Netns,
    way: &'a str,
    port: u16,
}

impl Try<'_> {
    /// What the process says of it, begun in `place`; where the way moves, to `move_to`.
    fn from(&self, place: &Place, move_to: &Cgroup) -> Result<String> {
        let mut python = place.command("/usr/bin/python3");
        python.arg(ways()).arg(self.way).args([self.far.v4()?.to_string(), self.far.v6()?.to_string()]);
        // Also where the process sees another tree: that of its network namespace.
        let seen_from_here = format!("/proc/{}/root{}", std::process::id(), move_to.path().display());
        python.arg(self.port.to_string()).arg(seen_from_here);
        run(&mut python)?.success().with_context(|| self.way.to_owned())
    }
}

fn setup(cgroup: &str) -> Setup {
    Setup {
        // A resource elsewhere: to the gateway every destination here is unlisted.
        body: format!(
            "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n",
            Setup::workload("job", cgroup)
        ),
        policies: vec![("policy.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    }
}

fn counted(sluice: &Sluice, counter: &str) -> Result<u64> {
    let status = sluice.json(&["status", "--json"])?;
    let found = status.pointer(&format!("/intercept/events/{counter}")).and_then(serde_json::Value::as_u64);
    found.with_context(|| format!("no counter {counter}: {status}"))
}

/// A server on the other host, at the ports of all rows: some ways only begin when a connection is there.
fn server(far: &Netns) -> Result<(Process, tempfile::NamedTempFile)> {
    let script = format!(
        "import selectors, socket\nsel = selectors.DefaultSelector()\n\
         for port in range({FIRST}, {FIRST} + {}):\n    s = socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True)\n    \
         sel.register(s, selectors.EVENT_READ, True)\nprint('ready', flush=True)\n\
         while True:\n    for key, _ in sel.select():\n        if key.data:\n            \
         sel.register(key.fileobj.accept()[0], selectors.EVENT_READ, False)\n        else:\n            \
         sel.unregister(key.fileobj)\n            key.fileobj.close()\n",
        TABLE.len()
    );
    let log = tempfile::NamedTempFile::new()?;
    let mut server =
        Process::start(Place::here().netns(far).command("/usr/bin/python3").args(["-u", "-c", &script]), log.path())?;
    server.ready("the far server", Duration::from_secs(10), || {
        std::fs::read_to_string(log.path()).is_ok_and(|text| text.contains("ready"))
    })?;
    Ok((server, log))
}

#[test]
fn no_way_around_the_gateway_reaches_the_other_host() -> Result<()> {
    let far = Netns::new("far")?;
    // It takes what is sent to a loopback address, as a host that works with the workload would.
    let mut sysctl = Place::here().netns(&far).command("sysctl");
    run(sysctl.args(["-q", "-w", "net.ipv4.conf.all.route_localnet=1"]))?.success()?;
    let _server = server(&far)?;
    let sniffer = Sniffer::start(&far)?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let mut sluice = Sluice::start(&setup(job.name()), None)?;
    sluice.quiet();
    let mut table = String::new();
    for (row, port) in TABLE.iter().zip(FIRST..) {
        let filter = row.seen_as.replace("PORT", &port.to_string());
        let attempt = Try { far: &far, way: row.way, port };
        // made_outside moves in; the others that move, move out.
        let (begin, end) = if row.begins_outside { (&other, &job) } else { (&job, &other) };
        let before = counted(&sluice, row.counter)?;
        let seen = sniffer.count(&filter)?;
        let said = attempt.from(&Place::here().cgroup(begin), end)?;
        let packets = sniffer.count(&filter)? - seen;
        assert_eq!(packets, 0, "{}: {said}\n{}", row.way, sniffer.packets(&filter)?);
        let grown = eventually(Duration::from_secs(3), || counted(&sluice, row.counter).is_ok_and(|n| n > before));
        assert!(grown, "{}: {} should have stopped it and counted `{}`: {said}", row.way, row.stopped_by, row.counter);
        // The same by a process that has no label.
        attempt.from(&Place::here().cgroup(&other), &other)?;
        let control = sniffer.count(&filter)? - seen;
        assert!(control > 0, "{} leads nowhere, labelled or not", row.way);
        table.push_str(&format!("{:20} {:34} 0 packets, {control} without a label\n", row.way, row.stopped_by));
    }
    println!("{table}");
    Ok(())
}

#[test]
fn a_ping_socket_is_not_made() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let sniffer = Sniffer::start(&far)?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let sluice = Sluice::start(&setup(job.name()), None)?;
    // Whether a group may use them is set by namespace.
    let mut allow = Place::here().netns(&near).command("sysctl");
    run(allow.args(["-q", "-w", "net.ipv4.ping_group_range=0 0"]))?.success()?;
    let attempt = Try { far: &far, way: "ping", port: 1 };
    let before = counted(&sluice, "protocol")?;
    let said = attempt.from(&Place::here().cgroup(&job).netns(&near), &other)?;
    assert_eq!(sniffer.count("icmp")?, 0, "{said}");
    assert!(eventually(Duration::from_secs(3), || counted(&sluice, "protocol").is_ok_and(|n| n > before)), "{said}");
    attempt.from(&Place::here().cgroup(&other).netns(&near), &other)?;
    assert!(sniffer.count("icmp")? > 0);
    Ok(())
}

#[test]
fn local_services_are_no_way_around_either() -> Result<()> {
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let sluice = Sluice::start(&setup(job.name()), None)?;
    let (_server, port) = local("::", 0)?;
    let reads = |cgroup: &Cgroup, host: &str, port: u16| {
        let script = format!(
            "import socket\ntry:\n    s = socket.create_connection(('{host}', {port}), 5)\n    print(s.recv(9))\nexcept OSError as e:\n    print(e)\n"
        );
        run(Place::here().cgroup(cgroup).command("/usr/bin/python3").args(["-c", &script]))?.success()
    };
    for host in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"] {
        assert!(reads(&other, host, port)?.contains("local"), "{host}");
        assert!(!reads(&job, host, port)?.contains("local"), "{host}");
    }
    // Nor is the gateway's own listener, which only knows whom the kernel has sent.
    let mut beside = false;
    let status = sluice.json(&["status", "--json"])?;
    for address in status["intercept"]["listeners"][0]["addresses"].as_array().context("no addresses")? {
        let address: std::net::SocketAddr = address.as_str().context("no text")?.parse()?;
        let before = counted(&sluice, "listener_by_hand")?;
        assert!(reads(&job, &address.ip().to_string(), address.port())?.contains("refused"));
        let counted = || counted(&sluice, "listener_by_hand").is_ok_and(|n| n > before);
        assert!(eventually(Duration::from_secs(3), counted));
        // Nor for anybody else: with a client port of a workload's, he could be taken for it.
        let before = self::counted(&sluice, "listener_by_hand")?;
        assert!(reads(&other, &address.ip().to_string(), address.port())?.contains("refused"));
        let counted = || self::counted(&sluice, "listener_by_hand").is_ok_and(|n| n > before);
        assert!(eventually(Duration::from_secs(3), counted));
        // `0.0.0.0` is this machine by the address that the caller has bound.
        if let std::net::IpAddr::V4(bound) = address.ip() {
            for (family, prefix) in [("AF_INET", ""), ("AF_INET6", "::ffff:")] {
                let script = format!(
                    "import socket\ns = socket.socket(socket.{family})\ns.settimeout(5)\ns.bind(('{prefix}{bound}', 0))\n\
                     try:\n    s.connect(('{prefix}0.0.0.0', {}))\n    print('connected')\nexcept OSError as e:\n    print(e)\n",
                    address.port()
                );
                let said = run(Place::here().cgroup(&other).command("/usr/bin/python3").args(["-c", &script]))?;
                let said = said.success()?;
                assert!(said.contains("refused"), "{family} {bound}: {said}");
            }
        }
        // Only there: whoever has the same port at another address is reached.
        if address.is_ipv4() && !beside {
            beside = true;
            let (_server, port) = local("127.0.0.1", address.port())?;
            assert!(reads(&other, "127.0.0.1", port)?.contains("local"));
        }
    }
    assert!(beside);
    Ok(())
}

/// A server on this machine that says `local` to everybody, and its port.
fn local(host: &str, port: u16) -> Result<(Process, u16)> {
    let serve = format!(
        "import socket\nv6 = ':' in '{host}'\n\
         s = socket.create_server(('{host}', {port}), family=socket.AF_INET6 if v6 else socket.AF_INET, dualstack_ipv6=v6)\n\
         print(s.getsockname()[1], flush=True)\nwhile True:\n    c, _ = s.accept()\n    c.sendall(b'local')\n    c.close()\n"
    );
    let log = tempfile::NamedTempFile::new()?;
    let mut server = Process::start(Place::here().command("/usr/bin/python3").args(["-u", "-c", &serve]), log.path())?;
    server.ready("a local server", Duration::from_secs(10), || {
        std::fs::read_to_string(log.path()).is_ok_and(|text| text.ends_with('\n'))
    })?;
    let port = server.output().trim().parse()?;
    Ok((server, port))
}

/// To the kernel a connection to an IPv4 address is one of IPv4, whatever kind of address its socket is bound to.
#[test]
fn a_socket_bound_to_a_loopback_address_is_redirected_by_any_family() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let _server = server(&far)?;
    let sniffer = Sniffer::start(&far)?;
    // Packets from a loopback address leave the machine, for whom it knows: nobody answers such a one that asks for him.
    let mut sysctl = Place::here().netns(&near).command("sysctl");
    run(sysctl.args(["-q", "-w", "net.ipv4.conf.all.route_localnet=1"]))?.success()?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let filter = format!("port {FIRST}");
    Try { far: &far, way: "tcp4", port: FIRST }.from(&Place::here().netns(&near), &other)?;
    let mut sluice = Sluice::start(&setup(job.name()), None)?;
    for way in ["tcp_bound_loopback", "tcp_mapped_bound_loopback"] {
        let attempt = Try { far: &far, way, port: FIRST };
        let (seen, before) = (sniffer.count(&filter)?, counted(&sluice, "redirected")?);
        let said = attempt.from(&Place::here().cgroup(&job).netns(&near), &other)?;
        assert_eq!(sniffer.count(&filter)?, seen, "{way}: {said}\n{}", sniffer.packets(&filter)?);
        let grown = || counted(&sluice, "redirected").is_ok_and(|n| n > before);
        assert!(eventually(Duration::from_secs(3), grown), "{way}: {said}");
        let said = attempt.from(&Place::here().cgroup(&other).netns(&near), &other)?;
        assert!(sniffer.count(&filter)? > seen, "{way} leads nowhere, labelled or not: {said}");
    }
    // Where policy permits it, it comes to where it wanted to go, through the gateway.
    let (_local, port) = local("::", 0)?;
    let permit = "@id(\"all\") permit (principal, action, resource);";
    sluice.configure(&Setup { policies: vec![("policy.cedar".to_owned(), permit.to_owned())], ..setup(job.name()) })?;
    sluice.reload()?;
    for (bound, to) in [
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ("::ffff:127.0.0.1", "::ffff:127.9.9.9"),
        ("::1", "::1"),
        // The kernel itself does not connect this one.
        ("::1", "::ffff:127.0.0.1"),
    ] {
        let script = format!(
            "import socket\ns = socket.socket(socket.AF_INET6)\ns.settimeout(5)\ns.bind(('{bound}', 0))\n\
             try:\n    s.connect(('{to}', {port}))\n    print(s.recv(9), s.getpeername()[0])\nexcept OSError as e:\n    print(e)\n"
        );
        let says = |cgroup: &Cgroup| {
            run(Place::here().cgroup(cgroup).command("/usr/bin/python3").args(["-c", &script]))?.success()
        };
        let before = counted(&sluice, "redirected")?;
        let plain = says(&other)?;
        assert!(plain.contains("local") || plain.contains("unreachable"), "{bound} to {to}: {plain}");
        let same = || says(&job).is_ok_and(|said| said == plain);
        assert!(eventually(Duration::from_secs(5), same), "{bound} to {to}: {} instead of {plain}", says(&job)?);
        let grown = || counted(&sluice, "redirected").is_ok_and(|n| n > before);
        assert!(eventually(Duration::from_secs(3), grown), "{bound} to {to}");
    }
    let origins = failing::map::<[u64; 4], [u64; 6]>(&sluice, "ORIGINS")?;
    assert!(eventually(Duration::from_secs(10), || origins.keys().count() == 0), "an origin is left");
    Ok(())
}

#[test]
fn where_only_listed_destinations_are_captured_the_listener_is_not_called_by_hand_either() -> Result<()> {
    let job = Cgroup::new("job")?;
    let listed = Setup { intercept: "capture = \"listed\"".to_owned(), ..setup(job.name()) };
    let sluice = Sluice::start(&listed, None)?;
    let status = sluice.json(&["status", "--json"])?;
    for address in status["intercept"]["listeners"][0]["addresses"].as_array().context("no addresses")? {
        let address: std::net::SocketAddr = address.as_str().context("no text")?.parse()?;
        let script = format!("import socket\nsocket.create_connection(('{}', {}), 5)\n", address.ip(), address.port());
        let said = run(Place::here().cgroup(&job).command("/usr/bin/python3").args(["-c", &script]))?.failure()?;
        assert!(said.contains("ConnectionRefusedError"), "{said}");
    }
    Ok(())
}

#[test]
fn an_address_that_is_translated_after_the_connect_is_no_way_out() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let sniffer = Sniffer::start(&far)?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let sluice = Sluice::start(&setup(job.name()), None)?;
    let mut sysctl = Place::here().netns(&near).command("sysctl");
    run(sysctl.args(["-q", "-w", "net.ipv4.conf.all.route_localnet=1"]))?.success()?;
    let rules = format!(
        "table ip slt {{\n chain out {{ type nat hook output priority -100; ip daddr 127.83.0.0/16 meta l4proto tcp dnat to {}:7150; }}\n \
         chain post {{ type nat hook postrouting priority 100; oifname \"eth0\" masquerade; }}\n}}\n",
        far.v4()?
    );
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), rules)?;
    run(Place::here().netns(&near).command("nft").arg("-f").arg(file.path()))?.success()?;
    let before = counted(&sluice, "egress")?;
    let attempt = Try { far: &far, way: "tcp4", port: 7151 };
    let said = attempt.from(&Place::here().cgroup(&job).netns(&near), &other)?;
    assert_eq!(sniffer.count("tcp port 7150")?, 0, "{said}\n{}", sniffer.packets("tcp port 7150")?);
    assert!(eventually(Duration::from_secs(3), || counted(&sluice, "egress").is_ok_and(|n| n > before)), "{said}");
    // What is translated is nobody's business where nobody was redirected.
    let call = "import socket\ns = socket.socket()\ns.settimeout(3)\ns.connect_ex(('127.83.0.1', 9))\n";
    run(Place::here().cgroup(&other).netns(&near).command("/usr/bin/python3").args(["-c", call]))?.success()?;
    assert!(sniffer.count("tcp port 7150")? > 0, "the translation leads nowhere");
    Ok(())
}

#[test]
fn neither_many_cgroups_nor_deep_ones_lose_their_label() -> Result<()> {
    let far = Netns::new("far")?;
    let sniffer = Sniffer::start(&far)?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let mut sluice = Sluice::start(&setup(job.name()), None)?;
    // More than the kernel side remembers by itself, and then deeper than it looks upwards for one that it does.
    for n in 0..4_200 {
        std::fs::create_dir(job.path().join(format!("n{n}")))?;
    }
    for (round, depth) in [(0, 34), (1, 40), (2, 34), (3, 40)] {
        if round == 2 {
            sluice.kill();
        }
        for (top, labelled) in [(&job, true), (&other, false)] {
            let first = top.child(&format!("deep{round}"))?;
            let between = vec!["d"; depth - 2].join("/");
            std::fs::create_dir_all(first.path().join(&between))?;
            let deepest = first.child(&format!("{between}/d"))?;
            let before = sniffer.count("port 7160")?;
            let said = Try { far: &far, way: "tcp4", port: 7160 }.from(&Place::here().cgroup(&deepest), &deepest)?;
            let seen = sniffer.count("port 7160")? - before;
            assert_eq!(seen == 0, labelled, "round {round} in {}: {said}", first.name());
        }
    }
    Ok(())
}

#[test]
fn a_namespace_of_the_workloads_own_making_is_no_way_out() -> Result<()> {
    let far = Netns::new("far")?;
    let job = Cgroup::new("job")?;
    let sluice = Sluice::start(&setup(job.name()), None)?;
    let said = Try { far: &far, way: "other_namespace", port: 7100 }.from(&Place::here().cgroup(&job), &job)?;
    assert!(said.contains("refused"), "{said}");
    let counted = || counted(&sluice, "no_listener").is_ok_and(|n| n > 0);
    assert!(eventually(Duration::from_secs(3), counted));
    Ok(())
}

#[test]
fn datagrams_that_are_allowed_to_this_machine_do_not_leave_it() -> Result<()> {
    let far = Netns::new("far")?;
    let sniffer = Sniffer::start(&far)?;
    // As a host that works with the workload would: it answers for every address.
    let mut neighbour = Place::here().netns(&far).command("sysctl");
    run(neighbour.args(["-q", "-w", "net.ipv4.conf.all.route_localnet=1"]))?.success()?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let allowed =
        Setup { intercept: "allow_udp = [\"127.0.0.53:7210\", \"[::1]:7210\"]".to_owned(), ..setup(job.name()) };
    let sluice = Sluice::start(&allowed, None)?;
    for way in ["udp_device", "udp_device_connected", "udp_interface", "udp_unicast_if"] {
        let attempt = Try { far: &far, way, port: 7210 };
        let seen = sniffer.count("udp port 7210")?;
        let before = counted(&sluice, "egress")?;
        let said = attempt.from(&Place::here().cgroup(&job), &other)?;
        let packets = sniffer.count("udp port 7210")? - seen;
        assert_eq!(packets, 0, "{way}: {said}\n{}", sniffer.packets("udp port 7210")?);
        assert!(eventually(Duration::from_secs(3), || counted(&sluice, "egress").is_ok_and(|n| n > before)), "{said}");
        attempt.from(&Place::here().cgroup(&other), &other)?;
        assert!(sniffer.count("udp port 7210")? > seen, "{way} leads nowhere, labelled or not");
    }
    Ok(())
}

#[test]
fn datagrams_go_where_they_are_allowed_and_answers_on_accepted_connections_pass() -> Result<()> {
    let far = Netns::new("far")?;
    let sniffer = Sniffer::start(&far)?;
    let job = Cgroup::new("job")?;
    let allowed = Setup {
        intercept: format!("allow_udp = [\"{}:7200\", \"[{}]:7200\"]", far.v4()?, far.v6()?),
        ..setup(job.name())
    };
    let _sluice = Sluice::start(&allowed, None)?;
    for way in ["udp4", "udp6", "udp_mapped", "udp_connected", "udp6_connected"] {
        let before = sniffer.count("udp port 7200")?;
        Try { far: &far, way, port: 7200 }.from(&Place::here().cgroup(&job), &job)?;
        assert!(sniffer.count("udp port 7200")? > before, "{way}");
    }
    // A server in a labelled workload is called from the other host.
    let serve = "import socket\ns = socket.create_server(('', 0))\nprint(s.getsockname()[1], flush=True)\n\
                 c, _ = s.accept()\nc.sendall(b'x' * 100000)\nc.close()\n";
    let log = tempfile::NamedTempFile::new()?;
    let mut server =
        Process::start(Place::here().cgroup(&job).command("/usr/bin/python3").args(["-u", "-c", serve]), log.path())?;
    server.ready("a labelled server", Duration::from_secs(10), || {
        std::fs::read_to_string(log.path()).is_ok_and(|text| text.ends_with('\n'))
    })?;
    let call = format!(
        "import socket\ns = socket.create_connection(('{}', {}), 10)\nn = 0\nwhile True:\n    b = s.recv(65536)\n    \
         if not b: break\n    n += len(b)\nprint(n)\n",
        far.host_v4()?,
        server.output().trim()
    );
    let said = run(Place::here().netns(&far).command("/usr/bin/python3").args(["-c", &call]))?.success()?;
    assert_eq!(said.trim(), "100000");
    Ok(())
}
