// The part of Vectorscan's interface (and of Hyperscan's, which is the same) that finds which of many patterns may match.
//
// The library is looked for at run time: the program needs neither its headers to be built nor the library to start, and works
// without it.
#ifndef OUTPOST_VECTORSCAN_H
#define OUTPOST_VECTORSCAN_H

#include <stddef.h>

/// Opaque: a compiled database, and working memory of one thread.
typedef struct hs_database hs_database_t;
typedef struct hs_scratch hs_scratch_t;

/// What compiling said: `expression` is the index of the pattern at fault, below 0 if none is.
typedef struct vectorscan_error {
    char message[256];
    int expression;
} vectorscan_error_t;

/// Flags of a pattern, as hs_compile.h has them.
enum {
    VECTORSCAN_CASELESS = 1,
    VECTORSCAN_DOTALL = 2,
    VECTORSCAN_MULTILINE = 4,
    VECTORSCAN_SINGLEMATCH = 8,
    VECTORSCAN_PREFILTER = 128,
};

/// Whether the library is there and runs on this processor.
int vectorscan_is_available(void);

/// Its version and build, for people and as a part of keys; "" without the library.
const char *vectorscan_version(void);

/// What it knows of this processor: databases are compiled for it.
void vectorscan_processor(unsigned *tune, unsigned long long *features);

/// Checks one pattern. 0 and the least octets that a match can have, or -1 and what is wrong.
int vectorscan_check(const char *pattern, unsigned flags, unsigned *least, vectorscan_error_t *error);

/// A database for scanning blocks; patterns may share an id. NULL and what is wrong.
hs_database_t *vectorscan_compile(
    const char *const *patterns, const unsigned *flags, const unsigned *ids, unsigned count, vectorscan_error_t *error);

void vectorscan_free_database(hs_database_t *database);

/// The database as octets, to be given back with vectorscan_free_octets; 0, or -1.
int vectorscan_serialize(const hs_database_t *database, char **octets, size_t *length);

void vectorscan_free_octets(char *octets);

/// NULL if the octets are none of this version and processor's.
hs_database_t *vectorscan_deserialize(const char *octets, size_t length);

/// Makes `*scratch` (NULL at first) fit for the database, too; 0, or -1.
int vectorscan_prepare(const hs_database_t *database, hs_scratch_t **scratch);

void vectorscan_free_scratch(hs_scratch_t *scratch);

/// Writes the ids of the patterns that may match into `found`, which has room for one of each, each once unless the library says
/// it again. The number of ids, or -1 if scanning failed or there was no room.
int vectorscan_scan(
    const hs_database_t *database, const char *text, unsigned length, hs_scratch_t *scratch, unsigned *found, unsigned room);

#endif
