#ifndef COPENSSL_SHIM_H
#define COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// What Swift cannot import of OpenSSL: macros with a cast or parameters, and stacks, whose accessors are macros.

// Both sides: TLS 1.2 and newer; no renegotiation (RFC 9325 §3.5) and no compression (§3.3). Renegotiation off also means
// that a write never waits for input. Partial writes are off, so a write takes all or fails.
static inline int outpost_ssl_ctx_harden(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE
                                     | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_get_security_level(context) < 2)
        SSL_CTX_set_security_level(context, 2);
    return (int) SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline void outpost_ssl_ctx_set_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}

static inline int outpost_ssl_set_server_name(SSL *ssl, const char *name) {
    return (int) SSL_set_tlsext_host_name(ssl, name);
}

// Slot 0 is OpenSSL's "application data".
static inline void outpost_ssl_set_app_data(SSL *ssl, void *data) { SSL_set_app_data(ssl, data); }
static inline void *outpost_ssl_get_app_data(const SSL *ssl) { return SSL_get_app_data(ssl); }

static inline int outpost_error_is_system(unsigned long code) { return ERR_SYSTEM_ERROR(code) ? 1 : 0; }
static inline int outpost_error_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline int outpost_error_is_no_start_line(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

// The message authentication of a session ticket: HMAC with SHA-256 (RFC 5077 §4).
static inline int outpost_ticket_mac_init(EVP_MAC_CTX *mac, const unsigned char *key, size_t count) {
    OSSL_PARAM parameters[3];
    parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *) key, count);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *) "SHA256", 0);
    parameters[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, parameters);
}

// Makes a context ready for RSASSA-PKCS1-v1_5 with SHA-256, to sign or to verify.
static inline int outpost_prepare_rsa_sha256(EVP_PKEY_CTX *context, int signs) {
    if ((signs ? EVP_PKEY_sign_init(context) : EVP_PKEY_verify_init(context)) != 1)
        return 0;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
               && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
           ? 1 : 0;
}

static inline GENERAL_NAMES *outpost_alternative_names(const X509 *certificate) {
    return (GENERAL_NAMES *) X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}
static inline int outpost_general_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

// The name if it is a DNS name, else NULL.
static inline const ASN1_STRING *outpost_general_names_dns(const GENERAL_NAMES *names, int index) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    return name->type == GEN_DNS ? name->d.dNSName : NULL;
}

static inline const ASN1_STRING *outpost_common_name(const X509 *certificate) {
    X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    return index < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
}

#endif
