//! Commands that the peers have and this server has not yet. A configuration may rename them or take them away all the same.

/// The names, of Redis 7.2 and Valkey 8.
const NAMES: &str = "acl asking cluster failover migrate module psync readonly readwrite replconf sync";

/// Whether a command of this name is only missing, and no mistake.
#[must_use]
pub fn is_absent(name: &str) -> bool {
    NAMES.split(' ').any(|absent| absent.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_absent() {
        let table = crate::command_table();
        for name in NAMES.split(' ') {
            assert!(table.find(name.as_bytes()).is_none(), "{name} is there: take it off the list");
        }
        assert!(is_absent("MIGRATE") && !is_absent("get") && !is_absent(""));
    }
}
