//! What every eBPF object must have beside its programs.

/// Ends an object: its panic handler, and its licence.
#[macro_export]
macro_rules! object {
    () => {
        #[panic_handler]
        fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
            // The verifier rejects any program that can reach this.
            loop {}
        }

        /// Helpers that read kernel memory are GPL-only.
        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
    };
}
