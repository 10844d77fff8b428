//! Notices that swap areas come and go.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, TryRecvError},
    },
    thread,
    time::Duration,
};

use observer_engine::{event::Nanos, limits::REORDER_DELAY};
use observer_kernel::swaps::SWAPS;
use observer_observation::{AreaReading, Swap, clock};
use observer_text::Name;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long the engine waits for a reading of the areas, and with it all that is reported. What happened on a type
/// before a reading that takes longer may be attributed to the area before.
const PATIENCE_NS: Nanos = 5_000_000_000;
/// Between two questions whether the last reading has ended.
const POLL: Duration = Duration::from_millis(2);

/// The swap areas of a host.
pub trait Areas: Send + Sync {
    /// The areas in use; `None`: they cannot be read. May take as long as a program takes to be loaded and attached.
    fn in_use(&self) -> Option<Vec<Swap>>;

    /// These areas with what is known of their devices now.
    fn described(&self, areas: &[Swap]) -> Vec<Swap>;
}

/// The list of swap areas. After each `swapon` and `swapoff` the kernel reports to every open descriptor that it has
/// changed, once.
#[derive(Debug)]
pub struct AreaList(File);

impl AreaList {
    /// Changes are reported from now on.
    ///
    /// # Errors
    /// When the list cannot be opened: `/proc` is not mounted, or the kernel has no swap.
    pub fn open() -> io::Result<Self> {
        File::open(SWAPS).map(Self)
    }

    /// Whether the list has changed since the last call.
    fn has_changed(&self) -> bool {
        let mut list = [PollFd::new(&self.0, PollFlags::PRI)];
        let ready = poll(&mut list, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        // A signal is no answer: the change is reported by the next call.
        ready.is_ok() && list.iter().any(|list| list.revents().intersects(PollFlags::PRI | PollFlags::ERR))
    }
}

/// Reads the areas again when they have changed, in another thread, since events must be read meanwhile.
pub struct AreaWatch<'a> {
    list: &'a AreaList,
    areas: Arc<dyn Areas>,
    /// The paths of the areas that are observed; empty: all are.
    devices: Vec<Name>,
    looks: Looks,
    reading: Option<Receiver<Read>>,
}

impl<'a> AreaWatch<'a> {
    /// `list` was opened before the areas were read for the first time.
    pub fn new(list: &'a AreaList, areas: Arc<dyn Areas>, devices: Vec<Name>) -> Self {
        Self { list, areas, devices, looks: Looks::default(), reading: None }
    }

    /// One bit for each swap type to observe, of these areas; `None`: all types.
    pub fn types(&self, areas: &[Swap]) -> Option<u32> {
        (!self.devices.is_empty()).then(|| Swap::types_of(areas, &self.devices))
    }

    /// The areas, if a reading of them has ended, or failed.
    pub fn look(&mut self) -> Option<AreaReading> {
        let now = clock::now();
        let ended = self.reading.as_ref().and_then(|reading| match reading.try_recv() {
            Ok(read) => Some(read),
            Err(TryRecvError::Empty) => None,
            // There was no thread.
            Err(TryRecvError::Disconnected) => Some(Read(None)),
        });
        let (reading, next) = self.looks.look(self.list.has_changed(), ended, now);
        match next {
            Next::Nothing => self.reading = None,
            Next::Read => self.reading = Some(read(&self.areas)),
            Next::Wait => {}
        }
        reading
    }

    /// As [`AreaWatch::look`], after the end of all readings. One that takes too long has failed.
    pub fn last_look(&mut self) -> Option<AreaReading> {
        let start = clock::now();
        loop {
            let reading = self.look();
            if self.reading.is_none() {
                return reading;
            }
            let now = clock::now();
            if now.saturating_sub(start) > PATIENCE_NS {
                return Some(AreaReading { before_ns: self.looks.known_ns, at_ns: now, swaps: None });
            }
            thread::sleep(POLL);
        }
    }

    /// The time that the engine must not pass yet.
    pub fn limit(&self, now: Nanos) -> Nanos {
        self.looks.limit(now)
    }

    /// The areas with what is known of their devices now, if that differs from `known`.
    pub fn look_at_devices(&self, known: &[Swap]) -> Option<AreaReading> {
        let (swaps, at_ns) = (self.areas.described(known), self.looks.known_ns);
        (swaps != known).then_some(AreaReading { before_ns: at_ns, at_ns, swaps: Some(swaps) })
    }
}

/// A reading that has ended; `None`: in failure.
#[derive(Debug)]
struct Read(Option<Vec<Swap>>);

fn read(areas: &Arc<dyn Areas>) -> Receiver<Read> {
    let (sender, receiver) = mpsc::channel();
    let areas = Arc::clone(areas);
    let read = move || {
        // Once the observation has ended, the reading is of no use.
        let _ = sender.send(Read(areas.in_use()));
    };
    if let Err(error) = thread::Builder::new().name("swap areas".to_owned()).spawn(read) {
        log::warn!("cannot start a thread to read the swap areas: {error}");
    }
    receiver
}

/// What to do after a look.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    /// Read the areas.
    Read,
    /// Until the reading ends.
    Wait,
}

/// What the looks at the list have shown so far.
#[derive(Debug, Default)]
struct Looks {
    /// The areas were those of the last reading, or are unknown since it failed, up to this time; 0: since the start.
    known_ns: Nanos,
    readings: Option<Readings>,
}

/// Readings in progress: one after the other, until the list does not change during one.
#[derive(Debug)]
struct Readings {
    first_ns: Nanos,
    /// When the last one started.
    last_ns: Nanos,
    /// The list has changed since then.
    is_overtaken: bool,
}

impl Looks {
    /// `has_changed`: since the last look. `ended`: the reading that has ended since. A list that did not change
    /// between the look at which its reading started and a later look is that of all times in between.
    fn look(&mut self, has_changed: bool, ended: Option<Read>, now: Nanos) -> (Option<AreaReading>, Next) {
        let Some(readings) = &mut self.readings else {
            if has_changed {
                self.readings = Some(Readings { first_ns: now, last_ns: now, is_overtaken: false });
                return (None, Next::Read);
            }
            self.known_ns = now;
            return (None, Next::Nothing);
        };
        readings.is_overtaken |= has_changed;
        let Some(Read(swaps)) = ended else { return (None, Next::Wait) };
        if readings.is_overtaken {
            *readings = Readings { last_ns: now, is_overtaken: false, ..*readings };
            return (None, Next::Read);
        }
        let (before_ns, at_ns) = (self.known_ns, readings.last_ns);
        self.readings = None;
        self.known_ns = now;
        (Some(AreaReading { before_ns, at_ns, swaps }), Next::Nothing)
    }

    /// An engine at this time has passed no change of the areas.
    fn limit(&self, now: Nanos) -> Nanos {
        match &self.readings {
            Some(readings) if now.saturating_sub(readings.first_ns) < PATIENCE_NS => {
                now.min(self.known_ns + REORDER_DELAY)
            }
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap(path: &str) -> Swap {
        Swap { path: path.into(), ..Swap::default() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a look is given")]
    fn ended(path: &str) -> Option<Read> {
        Some(Read(Some(vec![swap(path)])))
    }

    #[test]
    fn a_quiet_list_is_not_read_and_a_changed_one_was_right_until_it_was_last_quiet() {
        let mut looks = Looks::default();
        assert_eq!(looks.look(false, None, 100), (None, Next::Nothing));
        assert_eq!(looks.look(true, None, 200), (None, Next::Read));
        assert_eq!(looks.look(false, None, 300), (None, Next::Wait));
        let reading = AreaReading { before_ns: 100, at_ns: 200, swaps: Some(vec![swap("/a")]) };
        assert_eq!(looks.look(false, ended("/a"), 400), (Some(reading), Next::Nothing));
        assert_eq!(looks.known_ns, 400);
        assert_eq!(looks.look(false, None, 500), (None, Next::Nothing));
        assert_eq!(looks.known_ns, 500);
    }

    #[test]
    fn a_list_that_changes_while_it_is_read_is_read_again() {
        let mut looks = Looks::default();
        looks.look(false, None, 50);
        assert_eq!(looks.look(true, None, 100), (None, Next::Read));
        assert_eq!(looks.look(true, None, 150), (None, Next::Wait));
        assert_eq!(looks.look(false, ended("/a"), 200), (None, Next::Read));
        assert_eq!(looks.look(true, ended("/b"), 300), (None, Next::Read));
        let reading = AreaReading { before_ns: 50, at_ns: 300, swaps: Some(vec![swap("/c")]) };
        assert_eq!(looks.look(false, ended("/c"), 400), (Some(reading), Next::Nothing));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        let mut looks = Looks { known_ns: 50, ..Looks::default() };
        looks.look(true, None, 100);
        let unknown = AreaReading { before_ns: 50, at_ns: 100, swaps: None };
        assert_eq!(looks.look(false, Some(Read(None)), 200), (Some(unknown), Next::Nothing));
    }

    #[test]
    fn the_engine_waits_for_a_reading_but_not_forever() {
        let second = 1_000_000_000;
        let mut looks = Looks::default();
        looks.look(false, None, second);
        assert_eq!(looks.limit(2 * second), 2 * second);
        looks.look(true, None, 2 * second);
        assert_eq!(looks.limit(second + 5), second + 5, "no later than asked for");
        assert_eq!(looks.limit(3 * second), second + REORDER_DELAY);
        assert_eq!(looks.limit(2 * second + PATIENCE_NS), 2 * second + PATIENCE_NS);
        looks.look(false, ended("/a"), 4 * second);
        assert_eq!(looks.limit(4 * second), 4 * second);
    }

    struct Slow(Duration);

    impl Areas for Slow {
        fn in_use(&self) -> Option<Vec<Swap>> {
            thread::sleep(self.0);
            Some(vec![swap("/slow")])
        }

        fn described(&self, areas: &[Swap]) -> Vec<Swap> {
            areas.to_vec()
        }
    }

    #[test]
    fn the_last_look_waits_for_the_reading() {
        let list = AreaList(File::open("/dev/null").unwrap());
        let mut watch = AreaWatch::new(&list, Arc::new(Slow(Duration::from_millis(50))), Vec::new());
        watch.reading = Some(read(&watch.areas));
        watch.looks.readings = Some(Readings { first_ns: 7, last_ns: 7, is_overtaken: false });
        let reading = watch.last_look().unwrap();
        assert_eq!((reading.at_ns, reading.swaps), (7, Some(vec![swap("/slow")])));
    }
}
