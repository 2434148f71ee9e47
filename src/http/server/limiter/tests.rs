//! Who gets a place, and whose.

use super::*;

const OTHERS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

fn limiter(in_all: usize) -> ConnectionLimiter {
    ConnectionLimiter::new(Limits::new(in_all, false))
}

/// So many connections from an address.
fn open(limiter: &ConnectionLimiter, address: IpAddr, count: usize) -> Vec<ConnectionPermit> {
    (0..count).map(|_| limiter.admit(address).unwrap()).collect()
}

fn begin_requests(permits: &[ConnectionPermit]) {
    permits.iter().for_each(|permit| permit.activity().begin_request());
}

fn displaced(permits: &[ConnectionPermit]) -> Vec<usize> {
    let is_displaced = |permit: &ConnectionPermit| futures_util::FutureExt::now_or_never(permit.activity().displaced());
    (0..permits.len()).filter(|&n| is_displaced(&permits[n]).is_some()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_address_has_half_of_the_places_and_then_loses_its_longest_idle_connection() {
    let limiter = limiter(20);
    let mut permits = Vec::new();
    for _ in 0..10 {
        permits.push(limiter.admit(OTHERS).unwrap());
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    begin_requests(&permits[..1]);
    let eleventh = limiter.admit(OTHERS).unwrap();
    assert!(!eleventh.handle().is_spare());
    assert_eq!(displaced(&permits), [1], "the first is busy");
    permits.truncate(1);
    assert!(displaced(&open(&limiter, OURS, 9)).is_empty());
    drop((permits, eleventh));
    let table = limiter.table();
    assert!(table.connections.is_empty() && table.owners.is_empty());
    assert_eq!((table.unknown, table.closing), (0, 0));
}

#[tokio::test]
async fn an_address_whose_connections_are_all_busy_gets_no_more_than_spare_ones() {
    let limiter = limiter(20);
    let permits = open(&limiter, OTHERS, 10);
    begin_requests(&permits);
    let spare = open(&limiter, OTHERS, SPARE_OF_ADDRESS);
    assert!(spare.iter().all(|permit| permit.handle().is_spare()));
    assert!(limiter.admit(OTHERS).is_none());
    assert!(displaced(&permits).is_empty());
    assert!(!limiter.admit(OURS).unwrap().handle().is_spare());
}

#[tokio::test]
async fn who_has_few_connections_takes_the_place_of_who_has_many() {
    let limiter = limiter(20);
    let other = IpAddr::from([203, 0, 113, 8]);
    let (many, more) = (open(&limiter, OTHERS, 9), open(&limiter, other, 10));
    let ours = open(&limiter, OURS, 3);
    assert_eq!((displaced(&many).len(), displaced(&more).len()), (1, 1), "first of who has the most, then of either");
    drop(more);
    let more = open(&limiter, other, 9);
    begin_requests(&many);
    begin_requests(&more);
    begin_requests(&ours);
    let newcomer = limiter.admit(OURS).unwrap();
    assert_eq!((displaced(&more).len(), newcomer.handle().is_spare()), (1, false), "none is idle");
    assert!(limiter.admit(OTHERS).unwrap().handle().is_spare(), "who has many displaces nobody");
    assert!(displaced(&ours).is_empty());
}

#[tokio::test]
async fn nobody_unknown_displaces_a_caller_who_is_busy() {
    let limiter = limiter(8);
    let permits: Vec<_> = (0..8)
        .map(|n| {
            let permit = limiter.admit(OURS).unwrap();
            permit.handle().identify(Uuid::from_u128(n / 4 + 1));
            permit
        })
        .collect();
    begin_requests(&permits);
    assert!(limiter.admit(OTHERS).unwrap().handle().is_spare());
    permits[5].activity().end_request();
    assert!(!limiter.admit(OTHERS).unwrap().handle().is_spare());
    assert_eq!(displaced(&permits), [5]);
}

#[tokio::test]
async fn a_caller_has_so_many_connections_wherever_they_come_from() {
    let limiter = limiter(1000);
    let mut permits = Vec::new();
    for n in 0..=OF_CALLER {
        let address = IpAddr::from([198, 51, 100, u8::try_from(n).unwrap()]);
        permits.push(limiter.admit(address).unwrap());
        permits[n].handle().identify(Uuid::from_u128(1));
    }
    assert_eq!(displaced(&permits).len(), 1);
}

#[tokio::test]
async fn a_proxy_brings_everybody() {
    let limiter = ConnectionLimiter::new(Limits::new(20, true));
    let permits = open(&limiter, OTHERS, 20);
    permits.iter().for_each(|permit| permit.handle().identify(Uuid::from_u128(1)));
    begin_requests(&permits[1..]);
    let ours = limiter.admit(OURS).unwrap();
    assert!(!ours.handle().is_spare());
    assert_eq!(displaced(&permits), [0]);
    assert!(limiter.admit(OTHERS).unwrap().handle().is_spare(), "all that the proxy has are busy");
}

#[tokio::test]
async fn those_that_are_not_known_yet_have_a_bound_of_their_own() {
    let limiter = limiter(5_000);
    let mut permits = Vec::new();
    for n in 0..UNKNOWN {
        let address = IpAddr::from([10, 0, u8::try_from(n / 250).unwrap(), u8::try_from(n % 250).unwrap()]);
        permits.push(limiter.admit(address).unwrap());
    }
    let known = limiter.admit(OURS).unwrap();
    known.handle().identify(Uuid::from_u128(1));
    assert_eq!(displaced(&permits).len(), 1);
    let newcomer = limiter.admit(OURS).unwrap();
    assert!(!newcomer.handle().is_spare());
    assert_eq!(displaced(&permits).len(), 1, "one of them is known, and makes room");
}

#[tokio::test]
async fn whoever_floods_its_places_keeps_nobody_from_theirs() {
    let limiter = limiter(100);
    let mut permits = open(&limiter, OTHERS, 50);
    for _ in 0..200 {
        permits.extend(limiter.admit(OTHERS));
    }
    assert_eq!(displaced(&permits).len(), CLOSING / 2);
    let others = open(&limiter, IpAddr::from([203, 0, 113, 8]), 50);
    let ours = open(&limiter, OURS, CLOSING / 2);
    assert!(ours.iter().all(|permit| !permit.handle().is_spare()));
    assert!(limiter.admit(OURS).unwrap().handle().is_spare(), "those that make room must close first");
    drop((permits, others));
    assert!(!limiter.admit(OURS).unwrap().handle().is_spare());
}

#[test]
fn an_address_of_ipv6_is_that_of_its_network() {
    let of = |text: &str| network(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::"));
    assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
    assert_eq!(of("::ffff:203.0.113.7"), OTHERS);
}
