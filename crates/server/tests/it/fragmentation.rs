//! Memory in pieces: what the process takes beyond its limit while sizes shift and keys come and go.
//!
//! The promise is RSS of at most 1.03 times (`maxmemory` + what clients take) and 16 MiB. [`rss_keeps_its_promise`] is a scenario to be
//! run by hand, a minute or an hour long, that prints RSS beside that bound:
//! `FRAGMENTATION_SECONDS=3600 FRAGMENTATION_MIB=256 cargo test -p larder --test it -- --ignored --nocapture rss_keeps_its_promise`

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Client, Reply, request};
use crate::damage::{resident, status};
use crate::server::{Server, eventually};

const MIB: u64 = 1 << 20;

/// Requests sent together.
const BATCH: usize = 200;

/// Uniform numbers (xorshift).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// As likely between 16 and 32 as between 2048 and 4096.
    fn log_uniform(&mut self) -> u64 {
        let octave = 16 << self.between(0, 7);
        self.between(octave, 2 * octave)
    }
}

/// How values are sized, and whether they go by time.
#[derive(Clone, Copy, Debug)]
enum Law {
    Mixed,
    Tiny,
    Middling,
    Large,
    Expiring,
}

/// One after the other; each is a shift for the allocator.
const LAWS: [Law; 8] =
    [Law::Mixed, Law::Middling, Law::Large, Law::Tiny, Law::Mixed, Law::Expiring, Law::Large, Law::Middling];

/// Overwrites keys chosen by chance, of so many.
fn churn(client: &mut Client, chance: &mut Chance, law: Law, keys: u64) {
    let filler = "x".repeat(8192);
    let mut bytes = Vec::new();
    for _ in 0..BATCH {
        let len = match law {
            Law::Mixed | Law::Expiring => chance.log_uniform(),
            Law::Tiny => chance.between(16, 90),
            Law::Middling => chance.between(200, 700),
            Law::Large => chance.between(1500, 4000),
        };
        let key = format!("key:{}", chance.next() % keys);
        let millis = chance.between(50, 4000).to_string();
        let mut words = vec!["SET", &key, &filler[..len as usize]];
        if matches!(law, Law::Expiring) {
            words.extend(["PX", &millis]);
        }
        bytes.extend(request(&words));
    }
    client.send(&bytes).unwrap();
    for _ in 0..BATCH {
        let reply = client.reply().unwrap();
        assert!(matches!(reply, Reply::Status(_)), "{reply:?}");
    }
}

/// RSS and what it may be, in bytes.
fn measured(server: &Server, client: &mut Client, limit: u64) -> (u64, u64) {
    let pool = client.info("mem_clients_normal");
    (resident(server), (limit + pool) / 100 * 103 + 16 * MIB)
}

/// Resident bytes without what is read from files, of which a binary that is not optimised has much.
fn anonymous(server: &Server) -> u64 {
    status(server, "RssAnon:") * 1024
}

/// What the slab holds without using it; not all of it need be resident.
fn slab_unused(client: &mut Client) -> u64 {
    let report = client.call(&["MEMORY", "MALLOC-STATS"]);
    let line = report.text().lines().find_map(|line| line.strip_prefix("slab, unused: ")).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn rss_falls_when_the_limit_is_lowered() {
    let limit = (64 * MIB).to_string();
    let server = Server::start(&["--maxmemory", &limit, "--maxmemory-policy", "allkeys-lru"]);
    let mut client = server.client();
    let mut chance = Chance(7);
    for law in [Law::Mixed, Law::Middling] {
        (0..1000).for_each(|_| churn(&mut client, &mut chance, law, 400_000));
    }
    client.call(&["SET", "stays", &"y".repeat(1000), "EX", "1000"]);
    let begin = resident(&server);
    let half = 32 * MIB;
    assert_eq!(client.call(&["CONFIG", "SET", "maxmemory", &half.to_string()]), Reply::Status("OK".into()));
    // Used, so that it is not evicted.
    let value = Reply::Bulk("y".repeat(1000));
    eventually("RSS is within its bound", || {
        assert_eq!(client.call(&["GET", "stays"]), value);
        let (_, bound) = measured(&server, &mut client, half);
        anonymous(&server) <= bound
    });
    assert!(resident(&server) < begin - 20 * MIB);
    assert!(client.info("active_defrag_hits") > 0 && client.info("active_defrag_key_hits") > 0);
    assert!(client.call(&["TTL", "stays"]).integer() > 0);
    eventually("nothing is moved any more", || client.info("active_defrag_running") == 0);
    server.end();
}

#[test]
fn what_deleted_keys_leave_is_given_back_where_that_is_asked_for() {
    let server = Server::start(&["--activedefrag", "yes", "--active-defrag-ignore-bytes", "4mb"]);
    let mut client = server.client();
    let value = "x".repeat(1000);
    let set = |number: u32| request(&["SET", &format!("key:{number}"), &value]);
    for first in (0..60_000_u32).step_by(BATCH) {
        let batch: Vec<u8> = (first..first + BATCH as u32).flat_map(set).collect();
        client.send(&batch).unwrap();
        (0..BATCH).for_each(|_| assert!(matches!(client.reply().unwrap(), Reply::Status(_))));
    }
    let begin = resident(&server);
    // One of ten stays, in every span.
    for number in (0..60_000_u32).filter(|number| number % 10 != 0) {
        client.send(&request(&["UNLINK", &format!("key:{number}")])).unwrap();
        assert_eq!(client.reply().unwrap(), Reply::Integer(1));
    }
    eventually("memory is given back", || resident(&server) < begin - 40 * MIB);
    for number in (0..60_000).step_by(10) {
        assert_eq!(client.call(&["GET", &format!("key:{number}")]), Reply::Bulk(value.clone()));
    }
    server.end();
}

#[test]
#[ignore = "a minute or an hour of load, whose figures are to be read"]
fn rss_keeps_its_promise() {
    let seconds = from_environment("FRAGMENTATION_SECONDS", 64);
    let mut limit = from_environment("FRAGMENTATION_MIB", 64) * MIB;
    let words = std::env::var("FRAGMENTATION_DIRECTIVES").unwrap_or_default();
    let mut directives: Vec<&str> = words.split_whitespace().collect();
    let text = limit.to_string();
    directives.extend(["--maxmemory", &text, "--maxmemory-policy", "allkeys-lru"]);
    let server = Server::start(&directives);
    let mut client = server.client();
    let mut chance = Chance(88_172_645_463_325_252);
    let (mut worst, mut above, mut samples) = (0.0_f64, 0, 0);
    println!("law        second  used MiB   RSS MiB bound MiB      keys    evicted      moved  slab MiB");
    let mut run = |limit: u64, laws: &[Law], seconds: u64, client: &mut Client| {
        let begun = Instant::now();
        for (number, law) in laws.iter().enumerate() {
            let end = Duration::from_secs(seconds * (number as u64 + 1) / laws.len() as u64);
            let every = Duration::from_millis(seconds * 1000 / (4 * laws.len() as u64));
            let mut next = begun.elapsed() + every;
            while begun.elapsed() < end {
                churn(client, &mut chance, *law, limit / 200);
                if begun.elapsed() < next {
                    continue;
                }
                next += every;
                let (rss, bound) = measured(&server, client, limit);
                let mib = |bytes: u64| bytes as f64 / MIB as f64;
                println!(
                    "{:<10} {:>6} {:>9.1} {:>9.1} {:>9.1} {:>9} {:>10} {:>10} {:>9.1}",
                    format!("{law:?}"),
                    begun.elapsed().as_secs(),
                    mib(client.info("used_memory")),
                    mib(rss),
                    mib(bound),
                    client.call(&["DBSIZE"]).integer(),
                    client.info("evicted_keys"),
                    client.info("active_defrag_hits"),
                    mib(slab_unused(client)),
                );
                worst = worst.max(rss as f64 / bound as f64);
                above += u32::from(rss > bound);
                samples += 1;
            }
        }
    };
    run(limit, &LAWS, seconds, &mut client);
    limit /= 2;
    println!("maxmemory is halved");
    client.call(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    run(limit, &[Law::Mixed, Law::Large], seconds / 4, &mut client);
    println!("{above} of {samples} samples above the bound, at worst {worst:.3} times it");
    sleep(Duration::from_secs(3));
    let (rss, bound) = measured(&server, &mut client, limit);
    println!("three seconds after: RSS {} MiB, bound {} MiB", rss / MIB, bound / MIB);
    let processor: f64 = ["used_cpu_user", "used_cpu_sys"]
        .iter()
        .map(|field| {
            let reply = client.call(&["INFO", "cpu"]);
            let line = reply.text().lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            line.unwrap().parse::<f64>().unwrap()
        })
        .sum();
    println!(
        "processor seconds {processor:.1}, of which moving {} ms",
        client.info("total_active_defrag_time")
    );
    server.end();
}
