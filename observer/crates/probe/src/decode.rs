//! Decodes ring-buffer records into the engine's events.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

use bytemuck::PodCastError;
use observer_ebpf::record::{self, EntryRecord, FaultRecord};
use observer_engine::event::{
    Change, ChangeKind, Comm, Entry, Event, Fault, LockWait, Path, Pin, PinResult, SequenceSpan, SlotCount, Task,
};

/// The record is not from these programs: they and this binary were not built together, or memory is corrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a ring-buffer record of {0} bytes has no kind")]
    TooShort(usize),
    #[error("a ring-buffer record has the unknown kind {0}")]
    UnknownKind(u32),
    #[error("a ring-buffer record of kind {kind} has {len} bytes")]
    WrongLength { kind: u32, len: usize },
}

/// Decodes one record. One that cannot be decoded counts as a dropped event.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    let kind = bytes.first_chunk().map(|word| u32::from_ne_bytes(*word)).ok_or(DecodeError::TooShort(bytes.len()))?;
    let wrong = |_: PodCastError| DecodeError::WrongLength { kind, len: bytes.len() };
    match kind {
        record::FAULT_STARTED => Ok(Event::Started(fault(&read(bytes).map_err(wrong)?))),
        record::FAULT_ENDED => Ok(Event::Ended(fault(&read(bytes).map_err(wrong)?))),
        record::ENTRY_FREED => Ok(change(ChangeKind::Freed, &read(bytes).map_err(wrong)?)),
        record::ENTRY_ALLOCATED => Ok(change(ChangeKind::Allocated, &read(bytes).map_err(wrong)?)),
        record::ENTRY_WRITE_STARTED => Ok(change(ChangeKind::WriteStarted, &read(bytes).map_err(wrong)?)),
        record::ENTRY_WRITTEN => Ok(change(ChangeKind::Written, &read(bytes).map_err(wrong)?)),
        other => Err(DecodeError::UnknownKind(other)),
    }
}

fn read<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Result<T, PodCastError> {
    // The kernel rounds records up to 8 bytes.
    let bytes = bytes.get(..size_of::<T>()).filter(|_| bytes.len() < size_of::<T>() + 8).unwrap_or_default();
    bytemuck::try_pod_read_unaligned(bytes)
}

fn fault(record: &FaultRecord) -> Fault {
    let has = |flag| record.flags & flag != 0;
    let path = if has(record::F_DIRECT) {
        Path::Direct
    } else if has(record::F_CACHED | record::F_INSTALLED) {
        Path::Cached
    } else {
        Path::None
    };
    Fault {
        entry: Entry(record.entry),
        base: Entry(record.base),
        nr: record.nr.max(1),
        address: record.address,
        mm: address_space(record.mm),
        task: task(record.tid, record.tgid, &record.comm),
        cgroup: record.cgroup,
        start: record.start,
        end: record.ts,
        read_start: time(record.read_start),
        read_end: time(record.read_end),
        freed: time(record.freed_own),
        path,
        installed: has(record::F_INSTALLED),
        fault_ret: record.fault_ret,
        pin: has(record::F_PIN_TRIED).then(|| pin(record)),
        lock: time(record.lock_try).map(|tried| LockWait { tried, ended: time(record.lock_end) }),
        frees: SequenceSpan { at_read: record.frees_at_read, at_end: record.frees_at_end },
        changes: SequenceSpan { at_read: record.changes_at_read, at_end: record.changes_at_end },
        slot: SlotCount { starts: record.slot_starts, ends: record.slot_ends },
    }
}

/// An opaque id below 2^53 in place of the kernel's pointer, which must not leave this process. Equal for equal
/// pointers; two address spaces share an id with a probability of 2^-53.
fn address_space(mm: u64) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    if mm == 0 { 0 } else { KEY.hash_one(mm) >> 11 }
}

fn pin(record: &FaultRecord) -> Pin {
    const EEXIST: i32 = -libc::EEXIST;
    let result = match record.pin_rc {
        0 => PinResult::Taken,
        _ if record.flags & record::F_PIN_CONTENDED != 0 => PinResult::Failed,
        EEXIST => PinResult::Held,
        _ => PinResult::Gone,
    };
    Pin { tried: record.pin_try, result, failures: record.pin_failures, dropped: time(record.pin_drop) }
}

fn change(kind: ChangeKind, record: &EntryRecord) -> Event {
    Event::Changed(Change {
        kind,
        entry: Entry(record.entry),
        at: record.ts,
        seq: record.seq,
        by: task(record.tid, record.tgid, &record.comm),
        slot: SlotCount { starts: record.slot_starts, ends: record.slot_ends },
    })
}

fn task(tid: u32, pid: u32, comm: &[u8; 16]) -> Task {
    Task { tid, pid, comm: Comm::from_bytes(comm) }
}

fn time(ns: u64) -> Option<u64> {
    (ns != 0).then_some(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comm(name: &str) -> [u8; 16] {
        let mut comm = [0; 16];
        comm[..name.len()].copy_from_slice(name.as_bytes());
        comm
    }

    #[test]
    fn a_fault_is_decoded_field_by_field() {
        let record = FaultRecord {
            kind: record::FAULT_ENDED,
            flags: record::F_DIRECT | record::F_PIN_TRIED,
            ts: 50,
            entry: Entry::new(1, 9).0,
            base: Entry::new(1, 9).0,
            read_start: 20,
            pin_rc: -libc::EEXIST,
            pin_failures: 1,
            comm: comm("victim"),
            ..FaultRecord::default()
        };
        let Ok(Event::Ended(fault)) = decode(bytemuck::bytes_of(&record)) else { panic!("not an ended fault") };
        assert_eq!((fault.entry.to_string(), fault.path, fault.nr), ("1:9".to_owned(), Path::Direct, 1));
        assert_eq!((fault.read_start, fault.read_end), (Some(20), None));
        assert_eq!(fault.task.comm, "victim");
        assert_eq!(fault.pin.map(|pin| pin.result), Some(PinResult::Held));
        assert!(!fault.pinned());
    }

    #[test]
    fn pointers_to_address_spaces_become_opaque_ids() {
        let pointer = 0xffff_8881_0123_4540;
        let id = address_space(pointer);
        assert_eq!(id, address_space(pointer));
        assert_ne!(id, address_space(pointer + 64));
        assert!(id < 1 << 53);
        assert_eq!(address_space(0), 0);
    }

    #[test]
    fn a_failed_pin_try_without_a_hook_on_its_error_is_only_failed() {
        let flags = record::F_PIN_TRIED | record::F_PIN_CONTENDED;
        let failed = FaultRecord { flags, pin_rc: -libc::EEXIST, pin_failures: 1, ..FaultRecord::default() };
        assert_eq!(pin(&failed).result, PinResult::Failed);
        let taken = FaultRecord { flags: flags | record::F_PINNED, pin_rc: 0, ..failed };
        assert_eq!(pin(&taken).result, PinResult::Taken);
    }

    #[test]
    fn a_record_of_unknown_kind_or_length_is_an_error() {
        assert_eq!(decode(&[1, 2]), Err(DecodeError::TooShort(2)));
        assert_eq!(decode(&99u32.to_ne_bytes()), Err(DecodeError::UnknownKind(99)));
        let short = record::FAULT_ENDED.to_ne_bytes();
        assert_eq!(decode(&short), Err(DecodeError::WrongLength { kind: record::FAULT_ENDED, len: 4 }));
        let mut long = vec![0u8; 500];
        long[..4].copy_from_slice(&short);
        assert!(matches!(decode(&long), Err(DecodeError::WrongLength { .. })));
    }
}
