//! Postfix's own defaults, for the parameters that others name or that are carried over.

/// The default of a parameter, `$` and all, as postconf(1) tells it with `-d`.
pub(super) fn of(name: &str) -> Option<&'static str> {
    DEFAULTS.binary_search_by_key(&name, |(name, _)| name).ok().map(|index| DEFAULTS[index].1)
}

/// By name.
const DEFAULTS: &[(&str, &str)] = &[
    ("alias_database", "hash:/etc/aliases"),
    ("alias_maps", "hash:/etc/aliases"),
    ("bounce_queue_lifetime", "5d"),
    ("bounce_size_limit", "50000"),
    ("canonical_classes", "envelope_sender, envelope_recipient, header_sender, header_recipient"),
    ("command_directory", "/usr/sbin"),
    ("compatibility_level", "0"),
    ("config_directory", "/etc/postfix"),
    ("daemon_directory", "/usr/lib/postfix/sbin"),
    ("data_directory", "/var/lib/postfix"),
    ("default_database_type", "hash"),
    ("default_destination_concurrency_limit", "20"),
    ("default_transport", "smtp"),
    ("delay_warning_time", "0h"),
    ("header_size_limit", "102400"),
    ("hopcount_limit", "50"),
    ("inet_interfaces", "all"),
    ("inet_protocols", "all"),
    ("initial_destination_concurrency", "5"),
    ("lmtp_tls_security_level", ""),
    ("local_recipient_maps", "proxy:unix:passwd.byname $alias_maps"),
    ("local_transport", "local:$myhostname"),
    ("mail_name", "Postfix"),
    ("mail_owner", "postfix"),
    ("maximal_backoff_time", "4000s"),
    ("maximal_queue_lifetime", "5d"),
    ("message_size_limit", "10240000"),
    ("meta_directory", "/etc/postfix"),
    ("minimal_backoff_time", "300s"),
    ("mydestination", "$myhostname, localhost.$mydomain, localhost"),
    ("mynetworks_style", "${{$compatibility_level} <level {2} ? {subnet} : {host}}"),
    ("myorigin", "$myhostname"),
    (
        "parent_domain_matches_subdomains",
        "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
    ),
    ("process_id_directory", "pid"),
    ("propagate_unmatched_extensions", "canonical, virtual"),
    ("qmgr_message_active_limit", "20000"),
    ("queue_directory", "/var/spool/postfix"),
    ("recipient_canonical_classes", "envelope_recipient, header_recipient"),
    ("relay_domains", "${{$compatibility_level} <level {2} ? {$mydestination} : {}}"),
    ("relay_transport", "relay"),
    ("sender_canonical_classes", "envelope_sender, header_sender"),
    ("smtp_bind_address", ""),
    ("smtp_connect_timeout", "30s"),
    ("smtp_helo_name", "$myhostname"),
    ("smtp_mx_address_limit", "5"),
    ("smtpd_banner", "$myhostname ESMTP $mail_name"),
    ("smtpd_client_connection_count_limit", "50"),
    ("smtpd_hard_error_limit", "20"),
    ("smtpd_junk_command_limit", "100"),
    ("smtpd_recipient_limit", "1000"),
    ("smtpd_recipient_overshoot_limit", "1000"),
    (
        "smtpd_relay_restrictions",
        "${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination}}",
    ),
    ("smtpd_timeout", "300s"),
    ("virtual_alias_domains", "$virtual_alias_maps"),
    ("virtual_alias_maps", "$virtual_maps"),
    ("virtual_mailbox_domains", "$virtual_mailbox_maps"),
    ("virtual_transport", "virtual"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stand_in_order() {
        assert!(DEFAULTS.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(of("qmgr_message_active_limit"), Some("20000"));
        assert_eq!(of("no_such"), None);
    }

    /// Those of Debian's Postfix, where they are not about its own system.
    #[test]
    fn they_are_postfixes_own() {
        let told = std::process::Command::new("/usr/sbin/postconf").arg("-d").output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let own =
            |name: &str| told.lines().find_map(|line| line.split_once(" = ").filter(|(key, _)| *key == name));
        let of_a_system = |name: &str| name.ends_with("_directory") || name.starts_with("alias_");
        for (name, value) in DEFAULTS.iter().filter(|(name, _)| !of_a_system(name)) {
            // Under stress some differ: nothing that is carried over.
            if let Some((_, own)) = own(name).filter(|(_, own)| !own.contains("${stress?")) {
                assert_eq!(own.trim(), *value, "{name}");
            }
        }
    }
}
