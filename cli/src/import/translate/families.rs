//! Parameters without a part of their own in the translation, by name or by the family that the name tells.

use crate::import::report::Fate;

/// A pattern with one `*` at either end, or none; the first that fits decides.
pub(super) type Known = (&'static str, Fate, &'static str, &'static str);

pub(super) const NOT_NEEDED: Fate = Fate::NotNeeded;
const DROPPED: Fate = Fate::Dropped;

const NO_SASL: &str = "no client logs in with a password here";
const NO_SASL_DO: &str = "leave submission to Postfix or the mailbox server, with a router as its relayhost";
const NO_MAILBOXES: &str = "no mail is delivered to mailboxes here";
const NO_MAILBOXES_DO: &str = "hand it to an LMTP server by the transport map";
const MILTER: &str = "milters are named in the routers' settings";
const MILTER_DO: &str =
    "`[milters.NAME]` with its places, and the name in `accept.milters` (docs/milters.md)";
const NO_FILTER: &str = "no filter is asked";
const NO_FILTER_DO: &str = "put the filter before the mx, or behind the router as a next hop";
const NO_LOGIN: &str = "nobody logs in at a next hop";
const NO_LOGIN_DO: &str = "let the next hop know the router by its address or its certificate";
const OF_TRANSPORT: &str = "there is one limit for all destinations";
const OF_TRANSPORT_DO: &str =
    "`queue.destination_concurrency`, or routers of their own for slow destinations";
const POSTFIX_ITSELF: &str = "about Postfix's own programs, files and log";
const FIXED_CODES: &str = "reply codes are those of the RFCs";
const TLS_OWN: &str = "TLS 1.2 and 1.3 with today's ciphers are what there is";

pub(super) const KNOWN: &[Known] = &[
    // ---- about Postfix itself ----
    ("*_directory", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("*_path", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("syslog_*", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("maillog_*", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("debug*", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("*_environment", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("mail_owner", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("mail_name", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("setgid_group", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("default_privs", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("compatibility_level", NOT_NEEDED, "taken into account for Postfix's defaults", ""),
    ("default_database_type", NOT_NEEDED, "texts are read, and nothing is compiled by hand", ""),
    ("berkeley_db_*", NOT_NEEDED, "texts are read, and nothing is compiled by hand", ""),
    ("lmdb_map_size", NOT_NEEDED, "texts are read, and nothing is compiled by hand", ""),
    ("alias_database", NOT_NEEDED, "texts are read, and nothing is compiled by hand", ""),
    ("*_maps_*timeout", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("proxy_*_maps", NOT_NEEDED, "a daemon holds its maps in its own memory", ""),
    ("max_*", NOT_NEEDED, POSTFIX_ITSELF, ""),
    (
        "default_process_limit",
        NOT_NEEDED,
        "`limits.sessions` bounds sessions; there are no processes to count",
        "",
    ),
    ("*_service_name", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("authorized_*", NOT_NEEDED, "mail comes by SMTP alone", ""),
    ("multi_instance_*", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("enable_long_queue_ids", NOT_NEEDED, "a queue id is long and never used again", ""),
    ("biff", NOT_NEEDED, NO_MAILBOXES, ""),
    ("anvil_*", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("notify_classes", NOT_NEEDED, "metrics and the log tell of trouble", ""),
    ("*_notice_recipient", NOT_NEEDED, "metrics and the log tell of trouble", ""),
    ("*_code", NOT_NEEDED, FIXED_CODES, ""),
    ("*_reason", NOT_NEEDED, FIXED_CODES, ""),
    ("show_user_unknown_table_name", NOT_NEEDED, "no client is told which table answered", ""),
    // ---- how it always is ----
    ("inet_protocols", NOT_NEEDED, "IPv4 and IPv6, by the addresses that are listened on and found", ""),
    ("disable_vrfy_command", NOT_NEEDED, "VRFY tells nobody who exists", ""),
    ("smtpd_helo_required", NOT_NEEDED, "a client says HELO or EHLO before MAIL", ""),
    ("smtpd_delay_reject", NOT_NEEDED, "each stage answers where it knows", ""),
    (
        "smtpd_forbid_*",
        NOT_NEEDED,
        "a bare line end is never the end of a message, and hasty clients are refused",
        "",
    ),
    ("smtpd_data_restrictions", NOT_NEEDED, "a client that talks out of turn is refused", ""),
    ("strict_*", NOT_NEEDED, "addresses and commands are read as RFC 5321 has them", ""),
    ("allow_percent_hack", NOT_NEEDED, "a recipient that could be read as a route is refused", ""),
    ("swap_bangpath", NOT_NEEDED, "a recipient that could be read as a route is refused", ""),
    ("append_*", NOT_NEEDED, "an address without a domain gets the origin; nothing else is added", ""),
    ("smtputf8_*", NOT_NEEDED, "SMTPUTF8 is offered, and asked of addresses that need it", ""),
    ("local_header_rewrite_clients", NOT_NEEDED, "the content is passed on octet for octet", ""),
    ("remote_header_rewrite_domain", NOT_NEEDED, "the content is passed on octet for octet", ""),
    ("queue_run_delay", NOT_NEEDED, "a message is tried when it is due", ""),
    ("qmgr_*", NOT_NEEDED, "the queue is another one: see [queue]", ""),
    ("smtpd_peername_lookup", NOT_NEEDED, "the client's name is not looked up", ""),
    ("*_tls_*loglevel", NOT_NEEDED, "`log.level` decides what is logged", ""),
    ("*_tls_session_*", NOT_NEEDED, "TLS sessions are kept in no file", ""),
    ("smtpd_tls_received_header", NOT_NEEDED, "Received says whether TLS was used", ""),
    ("smtpd_tls_auth_only", NOT_NEEDED, NO_SASL, ""),
    ("smtp_tls_note_starttls_offer", NOT_NEEDED, POSTFIX_ITSELF, ""),
    ("*_use_tls", NOT_NEEDED, "the security level holds over it", ""),
    ("smtpd_tls_CApath", NOT_NEEDED, "authorities stand in one file", ""),
    ("smtp_tls_CApath", NOT_NEEDED, "authorities stand in one file: `deliver.ca`", ""),
    ("*_tls_*protocols", NOT_NEEDED, TLS_OWN, ""),
    ("*_tls_*ciphers", NOT_NEEDED, TLS_OWN, ""),
    ("smtpd_tls_dh*", NOT_NEEDED, TLS_OWN, ""),
    ("*_tls_eecdh*", NOT_NEEDED, TLS_OWN, ""),
    ("tls_*", NOT_NEEDED, TLS_OWN, ""),
    ("smtpd_tls_CAfile", NOT_NEEDED, "clients are not asked for certificates", ""),
    ("smtp_*_timeout", NOT_NEEDED, "each step has the time that RFC 5321 §4.5.3.2 gives it", ""),
    ("smtp_connection_*", NOT_NEEDED, "connections are kept and used again: `deliver.connection_idle`", ""),
    ("smtp_destination_*", DROPPED, OF_TRANSPORT, OF_TRANSPORT_DO),
    ("smtp_mx_*_limit", NOT_NEEDED, "`deliver.addresses_tried` is 5", ""),
    ("parent_domain_matches_subdomains", NOT_NEEDED, "no list that it is about is used", ""),
    // ---- families without a counterpart ----
    ("smtpd_sasl_*", DROPPED, NO_SASL, NO_SASL_DO),
    ("broken_sasl_auth_clients", DROPPED, NO_SASL, NO_SASL_DO),
    ("cyrus_sasl_*", DROPPED, NO_SASL, NO_SASL_DO),
    ("smtpd_sender_login_maps", DROPPED, NO_SASL, NO_SASL_DO),
    ("smtp_sasl_*", DROPPED, NO_LOGIN, NO_LOGIN_DO),
    ("smtp_sender_dependent_authentication", DROPPED, NO_LOGIN, NO_LOGIN_DO),
    ("*_milters", DROPPED, MILTER, MILTER_DO),
    ("milter_*", DROPPED, MILTER, MILTER_DO),
    ("content_filter", DROPPED, NO_FILTER, NO_FILTER_DO),
    ("smtpd_proxy_*", DROPPED, NO_FILTER, NO_FILTER_DO),
    ("receive_override_options", DROPPED, NO_FILTER, NO_FILTER_DO),
    ("*_checks", DROPPED, "the content is not looked into", NO_FILTER_DO),
    (
        "*_bcc_maps",
        DROPPED,
        "no copies are made",
        "a virtual alias with two targets sends a recipient's mail to both",
    ),
    (
        "always_bcc",
        DROPPED,
        "no copies are made",
        "a virtual alias with two targets sends a recipient's mail to both",
    ),
    (
        "masquerade_*",
        DROPPED,
        "domains are not shortened by a rule",
        "`maps.sender_canonical` with a regexp table writes them anew",
    ),
    (
        "postscreen_*",
        DROPPED,
        "postscreen's tests have no counterpart",
        "`limits.greeting_wait` listens for clients that talk before the greeting",
    ),
    (
        "smtpd_client_*_rate_limit",
        DROPPED,
        "clients are not counted over time",
        "`limits.sessions_per_network` bounds what a network has open",
    ),
    ("smtpd_soft_error_limit", DROPPED, "nobody is slowed down", "`limits.errors` ends the session"),
    ("smtpd_error_sleep_time", DROPPED, "nobody is slowed down", "`limits.errors` ends the session"),
    (
        "smtpd_*_exceptions_*",
        DROPPED,
        "a bound holds for all clients",
        "put trusted hosts on a router instead of the mx",
    ),
    (
        "smtpd_client_event_limit_exceptions",
        DROPPED,
        "a bound holds for all clients",
        "put trusted hosts on a router instead of the mx",
    ),
    ("smtpd_discard_ehlo_*", DROPPED, "EHLO offers the same to all", ""),
    (
        "smtpd_authorized_xclient_hosts",
        DROPPED,
        "named in the layer of the role",
        "`trust.xclient_networks` of the mx",
    ),
    (
        "smtpd_authorized_xforward_hosts",
        DROPPED,
        "named in the layer of the role",
        "`relay.xforward_networks` of the router",
    ),
    (
        "smtpd_upstream_proxy_protocol",
        DROPPED,
        "named in the layer of the role",
        "`proxy_protocol = true` at the listener, and `trust.proxy_networks`",
    ),
    (
        "smtpd_restriction_classes",
        DROPPED,
        "a table's line gives one answer, never a list of restrictions",
        "write its tables into the access maps",
    ),
    (
        "smtpd_reject_unlisted_*",
        DROPPED,
        "recipients are checked wherever `maps.recipients` lists them",
        "without tables in `maps.recipients`, none is checked",
    ),
    (
        "smtpd_banner",
        NOT_NEEDED,
        "the greeting is the host's name, as RFC 5321 wants it, and fixed words",
        "",
    ),
    ("address_verify_*", DROPPED, "addresses are not probed", "list the addresses in `maps.recipients`"),
    ("unverified_*", DROPPED, "addresses are not probed", "list the addresses in `maps.recipients`"),
    (
        "smtp_fallback_relay",
        DROPPED,
        "there is no second way for what cannot be delivered",
        "name more than one next hop: they are tried in order",
    ),
    (
        "fallback_relay",
        DROPPED,
        "there is no second way for what cannot be delivered",
        "name more than one next hop: they are tried in order",
    ),
    (
        "disable_dns_lookups",
        DROPPED,
        "names are looked up in the DNS",
        "write next hops in brackets: they need no MX",
    ),
    (
        "*_host_lookup",
        DROPPED,
        "names are looked up in the DNS",
        "write addresses in brackets where the DNS has no name",
    ),
    ("*_dns_support_level", DROPPED, "DNSSEC is not asked for", ""),
    (
        "relay_clientcerts",
        DROPPED,
        "certificates are known by their authority, not one by one",
        "`relay.mutual_tls` and the fact `client_ca`",
    ),
    (
        "smtpd_tls_*ccert*",
        DROPPED,
        "certificates are known by their authority",
        "`relay.mutual_tls` and the fact `client_ca`",
    ),
    ("smtpd_tls_*", DROPPED, "has no counterpart", "see [tls] for what there is"),
    ("smtp_tls_*", DROPPED, "has no counterpart", "see [deliver] for what there is"),
    ("lmtp_*", DROPPED, "LMTP has the settings of SMTP: [deliver]", ""),
    ("proxy_interfaces", DROPPED, "named in the layer of the role", "`deliver.own_addresses` of the router"),
    ("bounce_template_file", DROPPED, "the text of a report is fixed", ""),
    ("smtp_*_checks", DROPPED, "the content is passed on octet for octet", NO_FILTER_DO),
    (
        "smtp_generic_maps",
        DROPPED,
        "addresses are written anew when mail comes, not when it goes",
        "`maps.sender_canonical` does it for all mail",
    ),
    ("smtp_*", DROPPED, "has no counterpart", "see [deliver] for what there is"),
    ("smtpd_*", DROPPED, "has no counterpart", "see [limits] for what there is"),
    (
        "rbl_*",
        DROPPED,
        "DNS lists are not asked",
        "block by `maps.client_access`, or keep a filter before the mx",
    ),
    ("*_transport_rate_delay", DROPPED, OF_TRANSPORT, OF_TRANSPORT_DO),
    ("*_destination_*", DROPPED, OF_TRANSPORT, OF_TRANSPORT_DO),
    ("*_delivery_*", DROPPED, OF_TRANSPORT, OF_TRANSPORT_DO),
    ("virtual_alias_*_limit", NOT_NEEDED, "aliases have bounds of their own: 10,000 targets, 32 steps", ""),
    ("virtual_*", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    ("mailbox_*", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    ("local_*", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    ("allow_mail_to_*", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    ("alias_maps", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    ("home_mailbox", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    ("forward_path", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    (
        "luser_relay",
        DROPPED,
        NO_MAILBOXES,
        "a virtual alias `@domain user@elsewhere` takes what nobody else does",
    ),
    ("fallback_transport*", DROPPED, NO_MAILBOXES, NO_MAILBOXES_DO),
    ("fast_flush_domains", DROPPED, "ETRN is not offered", ""),
    (
        "permit_mx_backup_networks",
        DROPPED,
        "a backup MX names its domains",
        "write them into `maps.relay_domains`",
    ),
    ("line_length_limit", NOT_NEEDED, "`limits.line_length` bounds lines, and none is broken in two", ""),
    ("*_size_limit", DROPPED, "has no counterpart", "see [limits] for what there is"),
];
