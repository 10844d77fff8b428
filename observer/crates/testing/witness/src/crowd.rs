//! Many tasks inside a swap-in at the same moment. Each sleeps in the read of a private page, because the I/O limit of
//! its control group blocks reads from the swap device. With `--same-page` one task sleeps in the read and the others
//! wait for it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Barrier, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use observer_text::Name;
use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    host::vmstat_required,
    memory::{Area, Pagemap, fill, holds},
    signals::stopped,
    swap::Swap,
};

/// Half of the default `pid_max`.
const MAX_TASKS: i64 = 16_384;
/// Stack size of a task.
const STACK: usize = 32 << 10;
/// The mount point of cgroup2, and the group that is made here.
const GROUPS: &str = "/sys/fs/cgroup";
const GROUP: &str = "/sys/fs/cgroup/crowd";
/// Time limit for all tasks to sleep.
const SETTLE_LIMIT: Duration = Duration::from_mins(2);
/// How long all tasks wait for the page in each round with `--same-page`. They wait for the pin one tick at a time,
/// with a fault each time.
const TOGETHER: Duration = Duration::from_millis(500);
/// Between two checks.
const POLL: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_TASKS))]
    threads: u32,
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// All tasks access the same page
    #[arg(long)]
    same_page: bool,
    /// Write the number of tasks inside to this file in the last round, and wait until it is removed
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Options {
    const fn tasks(&self) -> usize {
        self.threads as usize
    }

    const fn pages(&self) -> usize {
        if self.same_page { 1 } else { self.tasks() }
    }

    const fn page_of(&self, task: usize) -> usize {
        if self.same_page { 0 } else { task }
    }
}

/// A limit on reads from the swap device for the control group of this process.
struct Gate {
    /// `major:minor`.
    device: String,
}

impl Gate {
    /// Without a limit at first. The group is removed when dropped.
    fn new(swap: &Swap) -> Result<Self> {
        let remedy = "use a kernel with blk-cgroup throttling, cgroup2 mounted on /sys/fs/cgroup, as root";
        let failed = |what: &str, why: std::io::Error| Failure::new(what.to_owned(), why, remedy);
        fs::write(format!("{GROUPS}/cgroup.subtree_control"), "+io")
            .map_err(|e| failed("enabling the I/O controller", e))?;
        match fs::create_dir(GROUP) {
            Err(why) if why.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed("making a group", why)),
            _ => {}
        }
        let gate = Self { device: swap.number_pair()? };
        fs::write(format!("{GROUP}/cgroup.procs"), std::process::id().to_string())
            .map_err(|e| failed("joining the group", e))?;
        gate.set("max")?;
        Ok(gate)
    }

    /// Two bytes per second, the smallest limit: a page takes half an hour.
    fn close(&self) -> Result<()> {
        self.set("2")
    }

    fn open(&self) -> Result<()> {
        self.set("max")
    }

    fn set(&self, bytes: &str) -> Result<()> {
        fs::write(format!("{GROUP}/io.max"), format!("{} rbps={bytes}", self.device)).map_err(|e| {
            Failure::new("limiting reads from the swap device", e, "use a kernel with blk-cgroup throttling")
        })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.open();
        let _ = fs::write(format!("{GROUPS}/cgroup.procs"), std::process::id().to_string());
        // The group can be removed once its last task has left.
        for _ in 0..100 {
            if fs::remove_dir(GROUP).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        eprintln!("witness: cannot remove the control group {GROUP}\n  to do: rmdir {GROUP}");
    }
}

struct Shared<'a> {
    area: &'a Area,
    options: &'a Options,
    /// Whether to start. None until all tasks exist, since the barriers need all of them.
    start: (Mutex<Option<bool>>, Condvar),
    /// For the tasks and the main thread.
    all: Barrier,
    /// Accesses of this round that have ended.
    done: AtomicUsize,
    corrupt: AtomicUsize,
    /// Set by the main thread between two barriers.
    halt: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

pub(crate) fn run(options: &Options) -> Result<Value> {
    let swap = Swap::on(options.tasks() * 2 + 1_024)?;
    let gate = Gate::new(&swap)?;
    let area = Area::new(options.pages())?;
    let map = Pagemap::open()?;
    let before = vmstat_required("pswpin")?;
    for page in 0..options.pages() {
        fill(area.page(page), page as u64);
    }
    let shared = Shared {
        area: &area,
        options,
        start: (Mutex::new(None), Condvar::new()),
        all: Barrier::new(options.tasks() + 1),
        done: AtomicUsize::new(0),
        corrupt: AtomicUsize::new(0),
        halt: AtomicBool::new(false),
        failure: Mutex::new(None),
    };
    let inside = thread::scope(|scope| {
        for task in 0..options.tasks() {
            let shared = &shared;
            let made = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || member(shared, task));
            let failed = |why| Failure::new(format!("making task {task}"), why, "use fewer tasks, or more memory");
            if keep(shared, made.map_err(failed)).is_none() {
                shared.decide(false);
                return 0;
            }
        }
        shared.decide(true);
        direct(&shared, &gate, &map)
    });
    if let Some(failure) = shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    Ok(json!({
        "tasks": options.tasks(),
        "rounds": options.rounds,
        "inside": inside,
        "corrupt": shared.corrupt.load(Ordering::Relaxed),
        "pswpin": vmstat_required("pswpin")? - before,
    }))
}

/// One task, which reads its page once per round.
fn member(shared: &Shared<'_>, task: usize) {
    if !shared.starts() {
        return;
    }
    let page = shared.options.page_of(task);
    for _ in 0..shared.options.rounds {
        shared.all.wait();
        if shared.halt.load(Ordering::SeqCst) {
            return;
        }
        let right = holds(shared.area.page(page), page as u64);
        shared.corrupt.fetch_add(usize::from(!right), Ordering::Relaxed);
        shared.done.fetch_add(1, Ordering::SeqCst);
        shared.all.wait();
    }
}

/// In each round: pages out, limits reads, lets all tasks read, and removes the limit. The smallest number of tasks
/// that were inside at once.
fn direct(shared: &Shared<'_>, gate: &Gate, map: &Pagemap) -> usize {
    let options = shared.options;
    let mut fewest = options.tasks();
    for round in 1..=options.rounds {
        let prepared = prepare(options, shared, gate, map);
        if keep(shared, prepared).is_none() || stopped() {
            shared.halt.store(true, Ordering::SeqCst);
            shared.all.wait();
            return fewest;
        }
        shared.all.wait();
        let inside = sleeping_when_settled(shared);
        fewest = fewest.min(inside);
        if options.same_page {
            thread::sleep(TOGETHER);
        }
        if let Some(file) = options.report.as_deref().filter(|_| round == options.rounds) {
            keep(shared, report(file, inside));
        }
        // Also after a failure, or the tasks would wait for half an hour.
        keep(shared, gate.open());
        shared.all.wait();
    }
    fewest
}

fn keep<T>(shared: &Shared<'_>, result: Result<T>) -> Option<T> {
    let keep = |failure| {
        shared.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    };
    result.map_err(keep).ok()
}

fn prepare(options: &Options, shared: &Shared<'_>, gate: &Gate, map: &Pagemap) -> Result<()> {
    let out = shared.area.page_out_all(map, 0, options.pages())?;
    if out < options.pages() && !stopped() {
        let why = format!("{out} of {} pages are swapped out", options.pages());
        return Err(Failure::new("paging out", why, "stop other programs and try again"));
    }
    shared.done.store(0, Ordering::SeqCst);
    gate.close()
}

/// Number of tasks that sleep, once all that are not done do, or at the time limit.
fn sleeping_when_settled(shared: &Shared<'_>) -> usize {
    let started = Instant::now();
    loop {
        let sleeping = sleeping();
        let done = shared.done.load(Ordering::SeqCst);
        if sleeping + done >= shared.options.tasks() || started.elapsed() > SETTLE_LIMIT || stopped() {
            return sleeping;
        }
        thread::sleep(POLL);
    }
}

impl Shared<'_> {
    /// Starts or ends the tasks.
    fn decide(&self, start: bool) {
        *self.start.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(start);
        self.start.1.notify_all();
    }

    /// Waits for [`decide`](Self::decide).
    fn starts(&self) -> bool {
        let decided = self.start.0.lock().unwrap_or_else(PoisonError::into_inner);
        let undecided = |decided: &mut Option<bool>| decided.is_none();
        let decided = self.start.1.wait_while(decided, undecided).unwrap_or_else(PoisonError::into_inner);
        decided.unwrap_or(false)
    }
}

/// Tasks of this process in uninterruptible sleep.
fn sleeping() -> usize {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return 0 };
    let sleeps = |task: &Path| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('D'))
    };
    tasks.flatten().filter(|task| sleeps(&task.path())).count()
}

/// Writes the number of tasks inside, and waits until the file is removed.
fn report(file: &Path, inside: usize) -> Result<()> {
    fs::write(file, format!("{inside}\n"))
        .map_err(|e| Failure::new(format!("writing {}", Name::from(file)), e, "give a file that can be created"))?;
    while file.exists() && !stopped() {
        thread::sleep(POLL);
    }
    Ok(())
}
