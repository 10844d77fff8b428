//! Arrays of the programs that are read as memory of this process.
//!
//! A system call on a map raises a counter of its CPU, during which the kernel runs no kprobe program there. So whatever
//! is read while kprobes are attached is read without one.

use std::{io, marker::PhantomData, os::fd::AsFd, ptr::NonNull};

use bytemuck::Pod;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The elements of an array map.
#[derive(Debug)]
pub(crate) struct Mapped<T> {
    start: NonNull<u8>,
    bytes: usize,
    elements: u32,
    _element: PhantomData<T>,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is only read.
unsafe impl<T> Send for Mapped<T> {}

impl<T: Pod> Mapped<T> {
    /// Of a map with at least this many elements, made with `BPF_F_MMAPABLE`.
    pub(crate) fn new(map: impl AsFd, elements: u32) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8), "the kernel rounds elements up to eight bytes") };
        let bytes = elements as usize * size_of::<T>();
        // SAFETY: the kernel chooses the address of the new mapping, so it replaces no other.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, map, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { start, bytes, elements, _element: PhantomData })
    }

    pub(crate) const fn len(&self) -> u32 {
        self.elements
    }

    /// A copy of an element. Each of its words is read at once, but not all words at the same moment.
    pub(crate) fn get(&self, index: u32) -> Option<T> {
        if index >= self.elements {
            return None;
        }
        let mut value = T::zeroed();
        let first = index as usize * size_of::<T>();
        for (word, bytes) in bytemuck::bytes_of_mut(&mut value).chunks_exact_mut(8).enumerate() {
            // SAFETY: the element is inside the mapping, since `index` is less than their number.
            let place = unsafe { self.start.add(first + word * 8) };
            // SAFETY: mappings start at a page, so the place is aligned to a word. The mapping lives as long as `self`,
            // and the programs change the word only as a whole.
            bytes.copy_from_slice(&unsafe { place.cast::<u64>().read_volatile() }.to_ne_bytes());
        }
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        (0..self.elements).filter_map(|index| self.get(index))
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: `self` owns the mapping, and no reference into it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_from_the_shared_memory() {
        let file = rustix::fs::memfd_create("array", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&file, 48).unwrap();
        let array: Mapped<[u64; 2]> = Mapped::new(&file, 3).unwrap();
        rustix::io::pwrite(&file, &7u64.to_ne_bytes(), 24).unwrap();
        assert_eq!((array.get(0), array.get(1), array.get(3)), (Some([0, 0]), Some([0, 7]), None));
        assert_eq!(array.iter().collect::<Vec<_>>(), [[0, 0], [0, 7], [0, 0]]);
    }
}
