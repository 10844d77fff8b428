/// Adds what every eBPF object needs besides its programs: a panic handler and a licence.
#[macro_export]
macro_rules! object {
    () => {
        #[panic_handler]
        fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
            // The verifier rejects any program that can reach this.
            loop {}
        }

        /// Helpers that read kernel memory are only available to programs under a GPL-compatible licence.
        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
    };
}
