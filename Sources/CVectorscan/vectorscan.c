#include "vectorscan.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The library's own types, as hs_compile.h and hs_runtime.h lay them out; they are part of its binary interface.

typedef int hs_error_t;

typedef struct hs_compile_error {
    char *message;
    int expression;
} hs_compile_error_t;

typedef struct hs_platform_info {
    unsigned tune;
    unsigned long long cpu_features;
    unsigned long long reserved1;
    unsigned long long reserved2;
} hs_platform_info_t;

typedef struct hs_expr_info {
    unsigned min_width;
    unsigned max_width;
    char unordered_matches;
    char matches_at_eod;
    char matches_only_at_eod;
} hs_expr_info_t;

typedef int (*match_event_handler)(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context);

enum { HS_SUCCESS = 0, HS_MODE_BLOCK = 1 };

static struct {
    int is_loaded;
    hs_error_t (*valid_platform)(void);
    const char *(*version)(void);
    hs_error_t (*populate_platform)(hs_platform_info_t *);
    hs_error_t (*expression_info)(const char *, unsigned, hs_expr_info_t **, hs_compile_error_t **);
    hs_error_t (*compile_multi)(
        const char *const *, const unsigned *, const unsigned *, unsigned, unsigned, const hs_platform_info_t *, hs_database_t **,
        hs_compile_error_t **);
    hs_error_t (*free_compile_error)(hs_compile_error_t *);
    hs_error_t (*free_database)(hs_database_t *);
    hs_error_t (*serialize_database)(const hs_database_t *, char **, size_t *);
    hs_error_t (*deserialize_database)(const char *, size_t, hs_database_t **);
    hs_error_t (*alloc_scratch)(const hs_database_t *, hs_scratch_t **);
    hs_error_t (*free_scratch)(hs_scratch_t *);
    hs_error_t (*scan)(
        const hs_database_t *, const char *, unsigned, unsigned, hs_scratch_t *, match_event_handler, void *);
} library;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    // Version 5 of the interface, under the name that both libraries give it.
    void *handle = dlopen("libhs.so.5", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) return;
    const struct {
        const char *name;
        void *place;
    } symbols[] = {
        {"hs_valid_platform", &library.valid_platform},
        {"hs_version", &library.version},
        {"hs_populate_platform", &library.populate_platform},
        {"hs_expression_info", &library.expression_info},
        {"hs_compile_multi", &library.compile_multi},
        {"hs_free_compile_error", &library.free_compile_error},
        {"hs_free_database", &library.free_database},
        {"hs_serialize_database", &library.serialize_database},
        {"hs_deserialize_database", &library.deserialize_database},
        {"hs_alloc_scratch", &library.alloc_scratch},
        {"hs_free_scratch", &library.free_scratch},
        {"hs_scan", &library.scan},
    };
    for (size_t index = 0; index < sizeof symbols / sizeof symbols[0]; index++) {
        void *address = dlsym(handle, symbols[index].name);
        // Never unloaded once a part of it may be in use; here nothing is.
        if (address == NULL) {
            dlclose(handle);
            return;
        }
        memcpy(symbols[index].place, &address, sizeof address);
    }
    if (library.valid_platform() == HS_SUCCESS) library.is_loaded = 1;
}

int vectorscan_is_available(void) {
    pthread_once(&once, load);
    return library.is_loaded;
}

const char *vectorscan_version(void) {
    return vectorscan_is_available() ? library.version() : "";
}

void vectorscan_processor(unsigned *tune, unsigned long long *features) {
    hs_platform_info_t platform = {0};
    if (vectorscan_is_available()) library.populate_platform(&platform);
    *tune = platform.tune;
    *features = platform.cpu_features;
}

static void report(hs_compile_error_t *from, vectorscan_error_t *error) {
    error->expression = from == NULL ? -1 : from->expression;
    snprintf(error->message, sizeof error->message, "%s", from == NULL ? "unknown" : from->message);
    if (from != NULL) library.free_compile_error(from);
}

int vectorscan_check(const char *pattern, unsigned flags, unsigned *least, vectorscan_error_t *error) {
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *failure = NULL;
    if (!vectorscan_is_available()) return -1;
    if (library.expression_info(pattern, flags, &info, &failure) != HS_SUCCESS) {
        report(failure, error);
        return -1;
    }
    *least = info->min_width;
    free(info);
    return 0;
}

hs_database_t *vectorscan_compile(
    const char *const *patterns, const unsigned *flags, const unsigned *ids, unsigned count, vectorscan_error_t *error) {
    hs_database_t *database = NULL;
    hs_compile_error_t *failure = NULL;
    error->expression = -1;
    if (!vectorscan_is_available()) return NULL;
    // No platform: that of this machine.
    hs_error_t status = library.compile_multi(patterns, flags, ids, count, HS_MODE_BLOCK, NULL, &database, &failure);
    if (status == HS_SUCCESS) return database;
    report(failure, error);
    return NULL;
}

void vectorscan_free_database(hs_database_t *database) {
    library.free_database(database);
}

int vectorscan_serialize(const hs_database_t *database, char **octets, size_t *length) {
    return library.serialize_database(database, octets, length) == HS_SUCCESS ? 0 : -1;
}

void vectorscan_free_octets(char *octets) {
    // The library's allocator is malloc until it is told another, which nobody does.
    free(octets);
}

hs_database_t *vectorscan_deserialize(const char *octets, size_t length) {
    hs_database_t *database = NULL;
    if (!vectorscan_is_available()) return NULL;
    return library.deserialize_database(octets, length, &database) == HS_SUCCESS ? database : NULL;
}

int vectorscan_prepare(const hs_database_t *database, hs_scratch_t **scratch) {
    return library.alloc_scratch(database, scratch) == HS_SUCCESS ? 0 : -1;
}

void vectorscan_free_scratch(hs_scratch_t *scratch) {
    library.free_scratch(scratch);
}

struct findings {
    unsigned *found;
    unsigned count;
    unsigned room;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
    struct findings *findings = context;
    (void)from, (void)to, (void)flags;
    // Ending the scan here would hide patterns: the caller takes the overflow as a failure.
    if (findings->count == findings->room) return 1;
    findings->found[findings->count++] = id;
    return 0;
}

int vectorscan_scan(
    const hs_database_t *database, const char *text, unsigned length, hs_scratch_t *scratch, unsigned *found, unsigned room) {
    struct findings findings = {found, 0, room};
    return library.scan(database, text, length, 0, scratch, on_match, &findings) == HS_SUCCESS ? (int)findings.count : -1;
}
