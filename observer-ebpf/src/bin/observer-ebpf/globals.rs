//! The globals of [`observer_ebpf::globals`] as statics of this object.

use aya_ebpf::Global;

macro_rules! declare_statics {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
        $(
            $(#[$doc])*
            #[unsafe(no_mangle)]
            pub(crate) static $name: Global<$type> = Global::new($default);
        )*
    };
}

observer_ebpf::for_each_global!(declare_statics);
