//! Swap-ins by kernel threads that work for this process: workers of `io_uring` write swapped-out pages to a file.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    os::unix::fs::FileExt as _,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    host::vmstat_required,
    memory::{Area, Pagemap, fill},
    signals::stopped,
    swap::Swap,
};

/// Requests at once; a power of two.
const ENTRIES: u32 = 32;
/// From `linux/io_uring.h`.
const OP_WRITE: u8 = 23;
/// Lets a worker do it, and not the task that submits it.
const ASYNC: u8 = 1 << 4;
const GETEVENTS: u32 = 1;
const OFFSET_SQ: i64 = 0;
const OFFSET_CQ: i64 = 0x0800_0000;
const OFFSET_SQES: i64 = 0x1000_0000;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct SqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    reserved: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    overflow: u32,
    cqes: u32,
    reserved: [u32; 4],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread: [u32; 2],
    features: u32,
    reserved: [u32; 4],
    sq: SqOffsets,
    cq: CqOffsets,
}

const _: () = assert!(size_of::<Params>() == 120);

/// A request, as far as writes use it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Request {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    len: u32,
    write_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

const _: () = assert!(size_of::<Request>() == 64);

/// Memory shared with the kernel.
struct Shared {
    start: NonNull<u8>,
    bytes: usize,
}

impl Shared {
    fn map(ring: &OwnedFd, bytes: usize, offset: i64) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: without MAP_FIXED a new mapping does not replace existing ones.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, flags, ring.as_raw_fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { start, bytes })
    }

    fn word(&self, at: u32) -> &AtomicU32 {
        assert!(at as usize + 4 <= self.bytes && at.is_multiple_of(4), "outside the ring");
        // SAFETY: the word is inside the mapping.
        let place = unsafe { self.start.add(at as usize) };
        // SAFETY: the mapping lives as long as `self`, and the word is aligned and accessed only as an atomic.
        unsafe { place.cast::<AtomicU32>().as_ref() }
    }

    fn write(&self, index: u32, request: Request) {
        let at = index as usize * size_of::<Request>();
        assert!(at + size_of::<Request>() <= self.bytes, "outside the ring");
        // SAFETY: the place is inside the mapping.
        let place = unsafe { self.start.add(at) };
        // SAFETY: it is aligned, since mappings start at a page, and the kernel reads it only after it was submitted.
        unsafe { place.cast::<Request>().write(request) };
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: `self` owns the mapping, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

struct Ring {
    fd: OwnedFd,
    params: Params,
    submissions: Shared,
    completions: Shared,
    requests: Shared,
}

impl Ring {
    fn new() -> io::Result<Self> {
        let mut params = Params::default();
        // SAFETY: `params` is a whole `struct io_uring_params`, which the call fills and does not keep.
        let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut params) };
        let fd = libc::c_int::try_from(fd).map_err(io::Error::other)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let submissions = (params.sq.array + params.sq_entries * 4) as usize;
        let completions = (params.cq.cqes + params.cq_entries * 16) as usize;
        let requests = params.sq_entries as usize * size_of::<Request>();
        Ok(Self {
            submissions: Shared::map(&fd, submissions, OFFSET_SQ)?,
            completions: Shared::map(&fd, completions, OFFSET_CQ)?,
            requests: Shared::map(&fd, requests, OFFSET_SQES)?,
            fd,
            params,
        })
    }

    /// Runs at most [`ENTRIES`] requests. The number of those whose result is not the length asked for.
    fn run(&self, requests: &[Request]) -> io::Result<usize> {
        let (sq, cq) = (self.params.sq, self.params.cq);
        let tail = self.submissions.word(sq.tail).load(Ordering::Relaxed);
        let mask = self.submissions.word(sq.ring_mask).load(Ordering::Relaxed);
        let mut count = 0;
        for request in requests {
            let place = (tail + count) & mask;
            self.requests.write(place, *request);
            self.submissions.word(sq.array + place * 4).store(place, Ordering::Relaxed);
            count += 1;
        }
        self.submissions.word(sq.tail).store(tail + count, Ordering::Release);
        // SAFETY: the requests point to memory of the caller, which outlives them: the call returns when all are done.
        let submitted = unsafe {
            let no_mask: *const libc::sigset_t = ptr::null();
            libc::syscall(libc::SYS_io_uring_enter, self.fd.as_raw_fd(), count, count, GETEVENTS, no_mask, 0_usize)
        };
        if submitted < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut wrong = 0;
        let mask = self.completions.word(cq.ring_mask).load(Ordering::Relaxed);
        let head = self.completions.word(cq.head).load(Ordering::Relaxed);
        let end = self.completions.word(cq.tail).load(Ordering::Acquire);
        for index in 0..end.wrapping_sub(head) {
            // Its user data, 8 bytes, then its result.
            let result = self.completions.word(cq.cqes + (head.wrapping_add(index) & mask) * 16 + 8);
            let expected = requests.first().map_or(0, |request| request.len);
            wrong += usize::from(result.load(Ordering::Relaxed) != expected);
        }
        self.completions.word(cq.head).store(end, Ordering::Release);
        Ok(wrong + requests.len().abs_diff(end.wrapping_sub(head) as usize))
    }
}

pub(crate) fn run(options: &Options) -> Result<Value> {
    let pages = options.pages as usize;
    let _swap = Swap::on(pages * 2 + 1_024)?;
    let area = Area::new(pages)?;
    let map = Pagemap::open()?;
    let failed = |why: io::Error| Failure::new("writing through io_uring", why, "use a kernel with io_uring");
    let ring = Ring::new().map_err(failed)?;
    let file = memory_file().map_err(failed)?;
    for page in 0..pages {
        fill(area.page(page), page as u64);
    }
    let out = area.page_out_all(&map, 0, pages)?;
    let before = vmstat_required("pswpin")?;
    let mut wrong = 0;
    let bytes = size_of_val(area.page(0));
    let all: Vec<usize> = (0..pages).collect();
    for portion in all.chunks(ENTRIES as usize).take_while(|_| !stopped()) {
        let request = |page: &usize| Request {
            opcode: OP_WRITE,
            flags: ASYNC,
            fd: file.as_raw_fd(),
            offset: (page * bytes) as u64,
            address: area.address(*page) as u64,
            len: u32::try_from(bytes).unwrap_or(0),
            ..Request::default()
        };
        wrong += ring.run(&portion.iter().map(request).collect::<Vec<_>>()).map_err(failed)?;
    }
    let pswpin = vmstat_required("pswpin")? - before;
    let mut corrupt = 0;
    for page in (0..pages).take_while(|_| !stopped()) {
        let mut written = vec![0; bytes];
        file.read_exact_at(&mut written, (page * bytes) as u64).map_err(failed)?;
        let words = area.page(page).iter().map(|word: &AtomicU64| word.load(Ordering::Relaxed).to_ne_bytes());
        corrupt += usize::from(!words.flatten().eq(written));
    }
    Ok(json!({ "pages": pages, "out": out, "pswpin": pswpin, "wrong": wrong, "corrupt": corrupt }))
}

fn memory_file() -> io::Result<File> {
    // SAFETY: the name ends in a zero byte and outlives the call.
    let fd = unsafe { libc::memfd_create(c"pages".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}
