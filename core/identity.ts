// How every dialect names the NAS itself (RFC 5176 section 3).

export const NAS_IDENTIFICATION = ['NAS-IP-Address', 'NAS-IPv6-Address', 'NAS-Identifier'] as const;
