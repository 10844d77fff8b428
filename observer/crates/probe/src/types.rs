//! The kernel's types in the form in which aya needs them for trampolines.

use aya::Btf;
use observer_kernel::btf::{self, raw::Raw};

/// Why aya cannot use the types.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TypesError {
    #[error(transparent)]
    Kernel(#[from] btf::BtfError),
    /// Its reader takes the number of elements from 16 bits and the kind from 5: it would number the types behind such
    /// a record wrongly, and attach programs to other functions than those named.
    #[error(
        "the kernel's types have records that aya, which loads the programs, cannot read (more than 65535 elements, or \
         a kind above 31)"
    )]
    Wide,
    #[error("aya, which loads the programs, cannot read the kernel's types")]
    Aya(#[from] aya::BtfError),
}

/// Those of the running kernel.
pub(crate) fn of_kernel() -> Result<Btf, TypesError> {
    let data =
        std::fs::read(btf::VMLINUX).map_err(|source| btf::BtfError::Read { path: btf::VMLINUX.into(), source })?;
    check(data)?;
    Ok(Btf::from_sys_fs()?)
}

fn check(data: Vec<u8>) -> Result<(), TypesError> {
    if Raw::parse(data)?.is_wide() { Err(TypesError::Wide) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use observer_kernel::fixtures;

    /// Raw BTF of one record without a name.
    fn one(info: u32, tail: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        let length = 12 + 4 * u32::try_from(tail.len()).unwrap();
        let header = [24, 0, length, length, 1];
        bytes.extend(header.iter().chain(&[0, info, 4]).chain(tail).flat_map(|word| word.to_le_bytes()));
        bytes.push(0);
        bytes
    }

    #[test]
    fn types_that_aya_would_misread_are_refused() {
        for kernel in fixtures::KERNELS {
            assert!(check(fixtures::read(kernel, "btf.bin")).is_ok(), "{kernel}");
        }
        let many = 0x01_0000_u32;
        let error = check(one(6 << 24 | many, &vec![0; 2 * many as usize])).unwrap_err();
        assert!(matches!(error, TypesError::Wide) && error.to_string().contains("65535"), "{error}");
        let newer = check(one(20 << 24, &[])).unwrap_err();
        assert!(chain(&newer).contains("kind 20"), "{newer}");
    }

    /// Why [`TypesError::Wide`] exists; once this fails, aya reads such records, and the check can go.
    #[test]
    fn aya_takes_a_record_with_many_elements_for_one_with_few() {
        let many = 0x01_0000_u32;
        let bytes = one(6 << 24 | many, &vec![0; 2 * many as usize]);
        assert!(Raw::parse(bytes.clone()).is_ok());
        assert!(Btf::parse(&bytes, aya::Endianness::default()).is_err(), "its elements are taken for types");
    }
}
