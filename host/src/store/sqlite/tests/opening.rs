use super::*;

fn refusal(room: &StoreDirectory) -> String {
    match SqliteStore::open(&room.file(), SqliteOptions::default()) {
        Err(StoreError::Unusable(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn occupy(room: &StoreDirectory, sql: &str) {
    std::fs::create_dir_all(room.file().parent().unwrap()).unwrap();
    room.tool().execute_batch(sql).unwrap();
}

#[test]
fn refuses_a_file_that_is_not_a_database() {
    let room = StoreDirectory::new();
    std::fs::create_dir_all(room.file().parent().unwrap()).unwrap();
    let text = "dear diary, ".repeat(1000);
    std::fs::write(room.file(), &text).unwrap();
    let refusal = refusal(&room);
    assert!(refusal.contains("anglerfish.db is not an SQLite database"), "{refusal}");
    assert_eq!(std::fs::read_to_string(room.file()).unwrap(), text);
}

#[test]
fn refuses_another_applications_database_and_leaves_it_as_it_is() {
    let room = StoreDirectory::new();
    occupy(&room, "PRAGMA application_id = 77; CREATE TABLE diary (day TEXT)");
    let before = std::fs::read(room.file()).unwrap();
    let refusal = refusal(&room);
    assert!(refusal.contains("anglerfish.db") && refusal.contains("another application"), "{refusal}");
    assert!(refusal.contains("0x0000004d"), "{refusal}");
    assert_eq!(std::fs::read(room.file()).unwrap(), before);
}

#[test]
fn refuses_a_database_with_tables_but_without_an_application() {
    let room = StoreDirectory::new();
    occupy(&room, "CREATE TABLE diary (day TEXT)");
    assert!(refusal(&room).contains("another application"));
}

#[test]
fn refuses_a_newer_schema_and_names_both_versions() {
    let room = StoreDirectory::new();
    drop(room.open());
    occupy(&room, "PRAGMA user_version = 4711");
    let refusal = refusal(&room);
    assert!(refusal.contains("anglerfish.db has schema version 4711"), "{refusal}");
    assert!(refusal.contains(&format!("up to {}", crate::store::sqlite::schema::newest())), "{refusal}");
}

#[cfg(unix)]
#[test]
fn what_it_makes_only_its_own_user_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let room = StoreDirectory::new();
    let _store = room.open();
    let directory = room.file().parent().unwrap().to_owned();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "the database, its log and the lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn lets_only_one_gateway_in_and_the_next_one_after_it() {
    let room = StoreDirectory::new();
    let store = room.open();
    let refusal = refusal(&room);
    assert!(refusal.contains("in use by another gateway"), "{refusal}");
    assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
    drop(store);
    room.open();
}

#[test]
fn says_which_directory_cannot_be_made() {
    let room = StoreDirectory::new();
    std::fs::write(room.file().parent().unwrap(), "a file in the way").unwrap();
    match SqliteStore::open(&room.file(), SqliteOptions::default()) {
        Err(StoreError::Unavailable(text)) => assert!(text.contains("data"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn marks_the_file_as_its_own_and_syncs_every_commit() {
    let room = StoreDirectory::new();
    let _store = room.open();
    let tool = room.tool();
    let pragma = |name: &str| -> i64 { tool.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    assert_eq!(pragma("application_id"), i64::from(crate::store::sqlite::schema::APPLICATION_ID));
    assert_eq!(pragma("user_version"), i64::from(crate::store::sqlite::schema::newest()));
    let mode: String = tool.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let connection =
        crate::store::sqlite::connection::open_writer(&room.file(), &SqliteOptions::default()).unwrap();
    crate::store::sqlite::connection::tune_writer(&connection, &SqliteOptions::default()).unwrap();
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
    assert_eq!(synchronous, 2);
}

#[test]
fn opens_a_locked_file_with_a_clear_error_or_once_it_is_free() {
    let room = StoreDirectory::new();
    drop(room.open());
    let tool = room.tool();
    tool.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM keys; COMMIT").unwrap();
    let options = || SqliteOptions { busy_timeout: Duration::from_millis(20), ..SqliteOptions::default() };
    match SqliteStore::open(&room.file(), options()) {
        Err(StoreError::Unavailable(text)) => assert!(text.contains("locked by another process"), "{text}"),
        other => panic!("{other:?}"),
    }
    drop(tool);
    room.open_with(options());
}
