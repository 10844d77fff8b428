//! As many swap areas as the kernel allows: the last one has the largest swap type.

use observer_ebpf::swap_entry::{FIRST_AMBIGUOUS_TYPE, TYPES};
use serde_json::{Value, from_value};

use super::{
    agreement::{counts_agree, none_dropped},
    step::{Checked, Era, Finished, Step, ensure},
};
use crate::output::summary::Summary;

/// Swaps on one device after the other until the kernel refuses, keeps the last one, and swaps in from it.
pub(super) const MOST_AREAS: Step = Step {
    name: "most-areas",
    command: "modprobe zram num_devices=0; areas=0; used=; \
              while z=zram$(cat /sys/class/zram-control/hot_add); echo 16M >/sys/block/$z/disksize; \
              mkswap /dev/$z >/dev/null; swapon /dev/$z; do areas=$((areas + 1)) used=\"$used $last\" last=$z; done; \
              for z in $used; do swapoff /dev/$z; done; echo \"{\\\"areas\\\":$areas}\"; \
              observer record --json -- /witness churn --here --pages 1024 --threads 1 --rounds 2; \
              swapoff /dev/$last; for z in /sys/block/zram*; do echo 1 >$z/reset; done; rmmod zram",
    check: most_areas,
};

/// Below [`FIRST_AMBIGUOUS_TYPE`] each type must be that of a swap area, on every kernel.
fn most_areas(_era: Era, finished: &Finished) -> Checked {
    let objects: Vec<Value> = finished.objects()?;
    let [areas, summary] = objects.as_slice() else {
        return Err(format!("{} objects; standard error: {}", objects.len(), finished.stderr.trim()));
    };
    let areas = areas.get("areas").and_then(Value::as_u64).ok_or("no number of areas")?;
    let possible = u64::from(FIRST_AMBIGUOUS_TYPE)..=u64::from(TYPES);
    ensure(possible.contains(&areas), || format!("{areas} areas, not {possible:?}"))?;
    let summary: Summary = from_value(summary.clone()).map_err(|error| error.to_string())?;
    none_dropped(&summary)?;
    let seen = counts_agree(&summary)?;
    ensure(seen >= 2_048, || format!("only {seen} swap-ins seen"))?;
    let kinds: Vec<u64> = summary.swaps.iter().map(|swap| swap.kind).collect();
    ensure(kinds == [areas - 1], || format!("types of the areas in use: {kinds:?}"))?;
    Ok(format!("{areas} swap areas, {seen} swap-ins from the last one"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    #[test]
    fn the_last_area_must_have_its_type_and_be_seen() {
        let ran = |areas: u64, kind: u64, seen: u64| {
            let summary = with(&json!({ "swaps": [{ "kind": kind }], "swapins": { "seen": seen, "kernel": 2_048 } }));
            most_areas(Era::Pinned, &finished(0, &format!("{}{summary}", json!({ "areas": areas })), ""))
        };
        assert!(ran(24, 23, 2_048).is_ok(), "{:?}", ran(24, 23, 2_048));
        assert!(ran(21, 20, 2_048).is_err(), "type 21 is special");
        assert!(ran(24, 0, 2_048).is_err());
        assert!(ran(24, 23, 0).is_err());
    }
}
