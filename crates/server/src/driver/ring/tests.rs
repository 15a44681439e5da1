use std::io::{Read as _, Write as _};

use bytes::Bytes;
use larder_engine::Random;

use super::*;

/// A ring that may be used, or none where there is none.
fn ring() -> Option<Ring> {
    if let Err(error) = Ring::probe() {
        eprintln!("SKIPPED: {error}");
        return None;
    }
    let mut ring = Ring::new().unwrap();
    ring.enable().unwrap();
    Some(ring)
}

/// A socket of the ring's, and its other end.
fn socket(ring: &mut Ring) -> (Key, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    (ring.add(near.into()), far)
}

/// Reads what there is; true at the end of the stream.
fn read_some(far: &mut UnixStream, into: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 5000];
    match far.read(&mut bytes) {
        Ok(0) => true,
        Ok(len) => {
            into.extend_from_slice(&bytes[..len]);
            false
        }
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// Bytes of chance, as an output of copied bytes and blocks and in one piece.
fn output(random: &mut Random) -> (Output, Vec<u8>) {
    let (mut output, mut whole) = (Output::default(), Vec::new());
    for _ in 0..=random.next_u64() % 80 {
        let bytes = vec![random.next_u64() as u8; (random.next_u64() % 9000) as usize];
        whole.extend_from_slice(&bytes);
        if random.next_u64().is_multiple_of(2) {
            output.raw(&bytes);
        } else {
            output.push_block(Bytes::from(bytes));
        }
    }
    (output, whole)
}

/// What one socket was given to send and has received, in all.
struct Side {
    key: Key,
    far: UnixStream,
    given: Vec<u8>,
    arrived: Vec<u8>,
    sending: bool,
    written: Vec<u8>,
    received: Vec<u8>,
}

#[test]
fn bytes_arrive_as_over_plain_sockets() {
    let Some(mut ring) = ring() else { return };
    let mut random = Random::new(1);
    let mut sides: Vec<Side> = (0..40)
        .map(|_| {
            let (key, far) = socket(&mut ring);
            ring.receive(key);
            let (given, arrived, written, received) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            Side { key, far, given, arrived, sending: false, written, received }
        })
        .collect();
    for round in 0_u64.. {
        for side in &mut sides {
            if !side.sending && round < 300 && random.next_u64().is_multiple_of(3) {
                let (output, whole) = output(&mut random);
                if !output.is_empty() {
                    side.given.extend_from_slice(&whole);
                    side.sending = true;
                    ring.send(side.key, output);
                }
            }
            if round < 300 && random.next_u64().is_multiple_of(2) {
                let bytes = vec![random.next_u64() as u8; (random.next_u64() % 40_000) as usize];
                let len = side.far.write(&bytes).unwrap_or(0);
                side.written.extend_from_slice(&bytes[..len]);
            }
            read_some(&mut side.far, &mut side.arrived);
        }
        ring.enter().unwrap();
        while let Some(event) = ring.next_event() {
            match event {
                Event::Received(key, received) => {
                    let side = sides.iter_mut().find(|side| side.key == key).unwrap();
                    side.received.extend_from_slice(ring.bytes(&received));
                    ring.give_back(received);
                    ring.receive(key);
                }
                Event::Ended(key, End::Interrupted) => ring.receive(key),
                Event::Ended(_, End::Eof) => panic!("nobody has ended a stream"),
                Event::Sent(key, output, sent) => {
                    sent.unwrap();
                    let side = sides.iter_mut().find(|side| side.key == key).unwrap();
                    side.sending = !output.is_empty();
                    if side.sending {
                        ring.send(key, output);
                    }
                }
            }
        }
        let done =
            |side: &Side| side.given.len() == side.arrived.len() && side.written.len() == side.received.len();
        if round >= 300 && sides.iter().all(done) {
            break;
        }
        assert!(round < 1_000_000, "something is lost");
    }
    for side in &sides {
        assert!(side.given == side.arrived && side.written == side.received);
        assert!(!side.given.is_empty() && !side.written.is_empty());
    }
}

#[test]
fn what_is_removed_is_closed_and_its_memory_comes_back_when_the_kernel_is_done() {
    let Some(mut ring) = ring() else { return };
    let block = Bytes::from(vec![7; 10_000_000]);
    let mut far_ends = Vec::new();
    for _ in 0..10 {
        let (key, far) = socket(&mut ring);
        ring.receive(key);
        let mut output = Output::default();
        output.push_block(block.clone());
        ring.send(key, output);
        far_ends.push((key, far));
    }
    ring.enter().unwrap();
    // What was sent at once is much less: all the rest is under way again.
    let mut sent = 0;
    while let Some(event) = ring.next_event() {
        let Event::Sent(key, output, result) = event else { panic!("{event:?}") };
        sent += result.unwrap();
        ring.send(key, output);
    }
    ring.enter().unwrap();
    assert!(sent > 0 && !block.is_unique());
    for (key, _) in &far_ends {
        ring.remove(*key);
    }
    for _ in 0..100 {
        ring.enter().unwrap();
        assert!(ring.next_event().is_none(), "nobody hears of a removed socket");
    }
    assert!(block.is_unique(), "outputs are freed");
    assert_eq!(ring.in_flight, 0);
    let mut arrived = Vec::new();
    for (_, mut far) in far_ends {
        while !read_some(&mut far, &mut arrived) {}
    }
    // Keys are used again.
    let (key, _far) = socket(&mut ring);
    assert!(key.index() < 10);
    drop(ring);
}

#[test]
fn a_ring_that_goes_with_everything_under_way_is_drained() {
    let Some(mut ring) = ring() else { return };
    let block = Bytes::from(vec![7; 10_000_000]);
    let mut far_ends = Vec::new();
    for number in 0..10 {
        let (key, mut far) = socket(&mut ring);
        ring.receive(key);
        let mut output = Output::default();
        output.push_block(block.clone());
        ring.send(key, output);
        far.write_all(b"never looked at").unwrap();
        // Some has been handed over, some has not.
        if number == 5 {
            ring.enter().unwrap();
        }
        far_ends.push(far);
    }
    drop(ring);
    assert!(block.is_unique());
    let mut arrived = Vec::new();
    for mut far in far_ends {
        while !read_some(&mut far, &mut arrived) {}
    }
}

#[test]
fn more_is_asked_for_than_the_queue_holds() {
    let Some(mut ring) = ring() else { return };
    let mut far_ends: Vec<_> = (0..200).map(|_| socket(&mut ring)).collect();
    let mut received = vec![0; 200];
    for round in 0..5 {
        for (key, far) in &mut far_ends {
            far.write_all(&[round; 10]).unwrap();
            // Arming and stopping over and over makes many submissions.
            ring.receive(*key);
            ring.stop_receiving(*key);
            ring.stop_receiving(*key);
        }
        for _ in 0..20 {
            collect(&mut ring, &mut received);
        }
        assert!(far_ends.iter().all(|(key, _)| !ring.is_receiving(*key)));
        assert_eq!(ring.in_flight, 0);
    }
    // Those that found no buffer have it all before them.
    for round in 0.. {
        for (key, _) in &far_ends {
            if received[key.index()] < 50 {
                ring.receive(*key);
            }
        }
        collect(&mut ring, &mut received);
        if received.iter().all(|len| *len == 50) {
            break;
        }
        assert!(round < 1000, "something is lost: {received:?}");
    }
}

/// Counts what has come for each key.
fn collect(ring: &mut Ring, received: &mut [usize]) {
    ring.enter().unwrap();
    while let Some(event) = ring.next_event() {
        match event {
            Event::Received(key, bytes) => {
                received[key.index()] += ring.bytes(&bytes).len();
                ring.give_back(bytes);
            }
            Event::Ended(_, end) => assert_eq!(end, End::Interrupted),
            Event::Sent(..) => panic!("nothing is sent"),
        }
    }
}
