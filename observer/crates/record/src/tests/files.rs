use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_recording_is_private_and_renamed_when_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let recorder = create(&path, Creation::New).unwrap();
    let partial = recorder.partial().to_owned();
    assert_eq!(fs::metadata(&partial).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!path.exists());
    recorder.finish(&ending()).unwrap();
    assert!(path.exists());
    assert!(!partial.exists());
}

#[test]
fn an_existing_recording_is_replaced_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    create(&path, Creation::New).unwrap().finish(&ending()).unwrap();
    assert!(matches!(create(&path, Creation::New), Err(CreateError::Exists(_))));
    create(&path, Creation::Replace).unwrap().finish(&ending()).unwrap();
}

#[test]
fn a_file_that_appears_during_the_recording_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let recorder = create(&path, Creation::New).unwrap();
    fs::write(&path, "mine").unwrap();
    assert!(matches!(recorder.finish(&ending()), Err(RecordError::Write { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_partial_file_of_a_running_recorder_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let _recorder = create(&path, Creation::New).unwrap();
    assert!(matches!(create(&path, Creation::Replace), Err(CreateError::Busy(_))));
}

#[test]
fn a_partial_file_of_a_killed_recorder_is_kept_and_readable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    drop(create(&path, Creation::New).unwrap());
    assert!(matches!(create(&path, Creation::New), Err(CreateError::Leftover(_))));
    let (inputs, end) = read(&fs::read(folder.path().join("r.partial")).unwrap());
    assert!(inputs.is_empty());
    assert!(matches!(end, End::Damaged(FileDamage::Cut { .. })));
}

#[test]
fn what_is_written_out_is_in_the_file_of_a_recorder_that_is_killed_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = create(&folder.path().join("r"), Creation::New).unwrap();
    let partial = recorder.partial().to_owned();
    let before = recorder.bytes();
    let inputs: Vec<Input> =
        inputs(40).into_iter().filter(|input| matches!(input, Input::Event(_) | Input::Advance(_))).collect();
    for input in &inputs {
        recorder.input(input);
    }
    assert_eq!((recorder.bytes(), read(&fs::read(&partial).unwrap()).0.len()), (before, 0), "they are held");
    recorder.write_out().unwrap().sync_data().unwrap();
    let file = fs::read(&partial).unwrap();
    assert_eq!(recorder.bytes(), file.len() as u64);
    assert_eq!(format!("{:?}", read(&file).0), format!("{inputs:?}"));
}

#[test]
fn links_and_folders_are_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("l.partial")).unwrap();
    for name in ["link", "l", "."] {
        let refused = create(&folder.join(name), Creation::Replace);
        assert!(matches!(refused, Err(CreateError::NotAFile(_))), "{name}");
    }
    assert!(!folder.join("elsewhere").exists());
}

#[test]
fn a_full_disk_stops_the_recording_and_keeps_it_readable() {
    use observer_engine::event::Event;
    // A limit on file sizes stands for the full disk. It applies to the whole process, so a child writes the recording.
    const PATH: &str = "OBSERVER_TEST_FULL_DISK";
    let Some(path) = std::env::var_os(PATH) else {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let (_crate, module) = module_path!().split_once("::").unwrap();
        let test = format!("{module}::a_full_disk_stops_the_recording_and_keeps_it_readable");
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &test, "--nocapture"])
            .env(PATH, &path)
            .status();
        assert!(child.unwrap().success());
        let left = fs::read(file::partial_path(&path)).unwrap();
        let (part, end) = read(&left);
        let ended = part.iter().filter(|input| matches!(input, Input::Event(Event::Ended(_)))).count();
        assert!(ended > 1_000, "{ended}");
        let End::Damaged(FileDamage::Cut { bytes }) = end else { panic!("{end:?}") };
        assert_eq!(bytes, left.len() as u64, "the incomplete frame was removed");
        return;
    };
    let limit = rustix::process::Rlimit { current: Some(200_000), maximum: Some(200_000) };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    // SAFETY: SIG_IGN installs no handler, so no code runs in signal context. Without it the limit kills the process.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let mut recorder = create(Path::new(&path), Creation::New).unwrap();
    for input in inputs(60_000) {
        recorder.input(&input);
    }
    assert!(recorder.error().is_some());
    let Err(RecordError::Write { source, .. }) = recorder.finish(&ending()) else { panic!("no error") };
    assert_eq!(source.kind(), std::io::ErrorKind::FileTooLarge);
}
