//! Whatever happens in whatever order: what is handed on is the chain, or it is lost.

use std::collections::VecDeque;

use super::*;

/// A generator of random numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What is on its way to the node is lost with the link, and some of it without anybody knowing.
fn run(seed: u64) -> (usize, usize) {
    let mut random = Random(seed);
    let limits = FeedLimits { held_max: 4, reads_max: 1, batch_max: 2, ..LIMITS };
    let mut trial = Trial::with(limits);
    let channels = ["a", "b", "c"];
    channels.iter().for_each(|channel| trial.feed.want(&name(channel)));
    trial.feed.handle_up();
    let mut wire: VecDeque<Arc<Publication>> = VecDeque::new();
    let mut snapshot = trial.store.clone();
    let mut subscribed = false;
    for step in 0..300 {
        trial.look();
        match random.below(100) {
            0..35 => {
                let channel = channels[random.below(3) as usize];
                let publication = trial.store.publish(channel, &step.to_string());
                let lost = random.below(20) == 0;
                if subscribed && !lost {
                    wire.push_back(publication);
                }
            }
            35..70 => {
                if let Some(publication) = wire.pop_front() {
                    trial.arrive(&publication);
                }
            }
            70..90 if !trial.asked.is_empty() => {
                let at = random.below(trial.asked.len() as u64) as usize;
                trial.asked.swap(0, at);
                subscribed |= matches!(trial.asked[0], FeedEffect::Subscribe(_));
                if random.below(8) == 0 { trial.refuse() } else { trial.answer() }
            }
            90..93 => trial.tick(random.below(6000)),
            93 => {
                wire.clear();
                subscribed = false;
                trial.feed.handle_down();
                trial.feed.handle_up();
            }
            94 => trial.feed.handle_stall(),
            95 => snapshot = trial.store.clone(),
            96 => trial.store.roll_back(&snapshot.clone()),
            97 => trial.store.size = 2,
            98 => trial.store.size = 1000,
            _ => {}
        }
    }
    wire.into_iter().for_each(|publication| trial.arrive(&publication));
    trial.settle();
    (0..2).for_each(|_| trial.probe());
    check(&mut trial, seed, &channels)
}

/// Each entry follows on the one before it of its channel, or a loss stands between them; at the end
/// all is where the store is. Returns how much was handed on and lost.
fn check(trial: &mut Trial, seed: u64, channels: &[&str]) -> (usize, usize) {
    trial.look();
    let mut losses = 0;
    for channel in channels {
        let mut at: Option<Position> = None;
        let mut entries = trial.handed_on.iter();
        for did in &trial.did {
            if *did == format!("lost {channel}") {
                (at, losses) = (None, losses + 1);
            } else if !did.contains(' ') && did != "whole" {
                let entry = entries.next().unwrap();
                if entry.channel.as_str() != *channel {
                    continue;
                }
                let position = entry.position.unwrap();
                if let Some(at) = at {
                    let prev =
                        Position { tag: entry.prev_tag, offset: position.offset - 1, ..position };
                    assert_eq!(prev, at, "seed {seed}: {channel} at {did}");
                }
                at = Some(position);
            }
        }
        if let Some(at) = at {
            assert_eq!(Some(at), trial.store.head(&name(channel)), "seed {seed}: {channel}");
        }
    }
    (trial.handed_on.len(), losses)
}

#[test]
fn what_is_handed_on_is_the_chain_or_it_is_lost() {
    let (mut handed_on, mut lost) = (0, 0);
    for seed in 0..1000 {
        let (entries, losses) = run(seed);
        handed_on += entries;
        lost += losses;
    }
    // Neither of the two may be the whole of it.
    assert!(handed_on > 30_000 && lost > 300, "{handed_on} {lost}");
}
