/* store_write_hdf5.c - see store_write_hdf5.h. The sole user of libhdf5.
 *
 * libhdf5 1.10 cannot be trusted with a full disk (a write or truncation that fails leaves a handle behind,
 * on which it crashes in its exit handler), and its write path would only copy what we hold already. So it
 * never sees the disk: it lays out the file in a memfd, where the columns are holes, says with H5Dget_offset
 * where each column goes, and is closed. The store's writer then copies the rest of this skeleton
 * (superblock, groups, attributes) and the columns into the real file with pwrite. Against a limit of file
 * sizes the length is tried beforehand, and against whatever else may fail the exit handler is switched off.
 *
 * Settings: user block 16 KiB; alignment 64 with threshold 1, so that every column starts at a cache line;
 * contiguous layout, early allocation (else an unwritten dataset has no offset), fill never; no object times,
 * so that equal content gives equal files. The driver is stdio because the default one wants the real path
 * behind /proc/self/fd, and a memfd has none. Handles left by a failure are closed with the file (strong
 * degree). libhdf5 is not built for threads and keeps global state: one mutex here lets writers of several
 * stores live in one process. */
#include "io/store_write_hdf5.h"

#include "host/grid.h"
#include "kernels/batch.h"

#include <errno.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t hdf5_mutex = PTHREAD_MUTEX_INITIALIZER;

static hid_t type_of(uint32_t type) {
    switch (type) {
    case TIDE_TYPE_U8:
        return H5T_STD_U8LE;
    case TIDE_TYPE_U32:
        return H5T_STD_U32LE;
    case TIDE_TYPE_I32:
        return H5T_STD_I32LE;
    case TIDE_TYPE_U64:
        return H5T_STD_U64LE;
    case TIDE_TYPE_I64:
        return H5T_STD_I64LE;
    default:
        return H5T_IEEE_F64LE;
    }
}

/* A new string type; -1 on failure. */
static hid_t text_type(size_t bytes) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, bytes) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static int put_attribute(hid_t object, const char *name, hid_t file_type, hid_t memory_type,
                         const void *value) {
    hid_t space = H5Screate(H5S_SCALAR), attribute = -1;
    int ok = 0;
    if (space >= 0)
        attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0)
        ok = H5Awrite(attribute, memory_type, value) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    if (space >= 0)
        H5Sclose(space);
    return ok;
}

static int put_text(hid_t object, const char *name, const char *text) {
    size_t n = strlen(text);
    hid_t type = text_type(n > 0 ? n : 1);
    if (type < 0)
        return 0;
    int ok = put_attribute(object, name, type, type, text);
    H5Tclose(type);
    return ok;
}

static int put_number(hid_t object, const char *name, uint64_t value) {
    return put_attribute(object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value);
}

/* What the file is, and what the numbers in it mean, for a reader who has nothing else. */
static int put_provenance(hid_t file, const tide_store_header *h) {
    static const char outcomes[] = ""
#define TIDE_OUTCOME(NAME, number, name, why) #number " " name ", "
#include "kernels/outcomes.def"
#undef TIDE_OUTCOME
        ;
    static const char families[] = ""
#define TIDE_FAMILY(NAME, number, name, title) #number " " name ", "
#include "kernels/families.def"
#undef TIDE_FAMILY
        ;
    static const char forms[] = ""
#define TIDE_ETS_FORM(name, e, t, s) #name " "
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
        ;
    static const char *const kinds[] = {"integer", "days since 1970-01-01",
                                        "microseconds since 1970-01-01 UTC"};
    char freq[24] = "", first[40] = "";
    if (h->xreg_n)
        tide_ds_format((tide_ds_kind)h->ds_kind, h->xreg_first_ds, first, sizeof first);
    tide_freq_format((tide_freq){h->freq_unit, h->freq_multiple}, freq, sizeof freq);
    return put_text(file, "format", "tidemill model store") &&
           put_number(file, "format_version", h->version) && put_number(file, "generation", h->generation) &&
           put_number(file, "n_series", h->n_series) && put_number(file, "n_members", h->n_members) &&
           put_text(file, "freq", freq) && put_number(file, "season", (uint64_t)h->season) &&
           put_text(file, "ds_kind", kinds[h->ds_kind]) && put_number(file, "seed", h->seed) &&
           put_text(file, "run_id", h->run_id) && put_text(file, "code_version", h->code_version) &&
           put_text(file, "created_utc", h->created_utc) && put_text(file, "backend", h->backend) &&
           put_number(file, "n_regressors", (uint64_t)h->xreg_n) && put_text(file, "regressors_first", first) &&
           put_text(file, "outcomes", outcomes) && put_text(file, "families", families) &&
           put_text(file, "ets_forms (from 0)", forms) &&
           put_text(file, "arima_forms",
                    "bits 0-3 p, 4-7 q, 8-9 P, 10-11 Q, 12-13 d, 14-15 D, 16 constant, 17 Box-Cox, 18-22 Fourier pairs, "
                    "23-30 regressors");
}

/* One column: the dataset with its attributes; where its content goes. */
static int make_column(hid_t file, hid_t plan, int i, tide_store_layout *layout) {
    tide_column_text column = tide_column_describe(i);
    hsize_t dims[1] = {layout->count[i]};
    hid_t space = H5Screate_simple(1, dims, NULL);
    hid_t own_type = column.type == TIDE_TYPE_TEXT40 ? text_type(TIDE_RUN_ID_BYTES) : -1;
    hid_t data = -1;
    int ok = 0;
    if (space >= 0)
        data = H5Dcreate2(file, column.name, own_type >= 0 ? own_type : type_of((uint32_t)column.type), space,
                          H5P_DEFAULT, plan, H5P_DEFAULT);
    if (data >= 0 && put_text(data, "unit", column.unit) && put_text(data, "meaning", column.meaning)) {
        haddr_t at = layout->count[i] > 0 ? H5Dget_offset(data) : 0;
        layout->offset[i] = (uint64_t)at;
        ok = at != HADDR_UNDEF && at % TIDE_COLUMN_ALIGN == 0;
    }
    if (data >= 0)
        H5Dclose(data);
    if (own_type >= 0)
        H5Tclose(own_type);
    if (space >= 0)
        H5Sclose(space);
    return ok;
}

static int make_groups(hid_t file) {
    static const char *const names[] = {"series", "member", "index", "run", "regressor"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        hid_t group = H5Gcreate2(file, names[i], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (group < 0)
            return 0;
        H5Gclose(group);
    }
    return 1;
}

static int make_file(const char *path, const tide_store_header *header, tide_store_layout *layout) {
    hid_t create = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE), file = -1;
    int ok = create >= 0 && access >= 0 && plan >= 0 && H5Pset_userblock(create, TIDE_USER_BLOCK) >= 0 &&
             H5Pset_fapl_stdio(access) >= 0 && H5Pset_alignment(access, 1, TIDE_COLUMN_ALIGN) >= 0 &&
             H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
             H5Pset_layout(plan, H5D_CONTIGUOUS) >= 0 && H5Pset_alloc_time(plan, H5D_ALLOC_TIME_EARLY) >= 0 &&
             H5Pset_fill_time(plan, H5D_FILL_TIME_NEVER) >= 0 && H5Pset_obj_track_times(plan, 0) >= 0;
    if (ok)
        file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    ok = file >= 0 && make_groups(file) && put_provenance(file, header);
    for (int i = 0; i < TIDE_COLUMNS && ok; ++i)
        ok = make_column(file, plan, i, layout);
    if (file >= 0 && H5Fclose(file) < 0)
        ok = 0;
    if (plan >= 0)
        H5Pclose(plan);
    if (access >= 0)
        H5Pclose(access);
    if (create >= 0)
        H5Pclose(create);
    return ok;
}

/* Tries the length that the file is going to have at most, so that libhdf5 does not meet the limit
 * (RLIMIT_FSIZE). */
static int can_grow(int fd, const tide_store_layout *layout) {
    uint64_t bytes = 1 << 20; /* for all that is not column: some 60 kB */
    for (int i = 0; i < TIDE_COLUMNS; ++i)
        bytes += layout->count[i] * tide_type_bytes((uint32_t)tide_column_describe(i).type);
    return ftruncate(fd, (off_t)bytes) == 0 && ftruncate(fd, 0) == 0;
}

tide_status tide_hdf5_skeleton(const tide_store_header *header, tide_store_layout *layout, int *fd,
                               tide_error *err) {
    int memory = memfd_create("tidemill-store", MFD_CLOEXEC);
    if (memory < 0)
        return tide_fail(err, TIDE_MEMORY, "no anonymous file for the HDF5 layout: %s", strerror(errno));
    if (!can_grow(memory, layout)) {
        int failed = errno;
        close(memory);
        return tide_fail(err, TIDE_DISK, "no room for the HDF5 layout: %s", strerror(failed));
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    H5E_auto2_t report = NULL;
    void *context = NULL;
    pthread_mutex_lock(&hdf5_mutex);
    H5dont_atexit(); /* heeded once, before its first use; nothing of ours is open at exit */
    H5Eget_auto2(H5E_DEFAULT, &report, &context);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* it prints to stderr otherwise */
    int ok = make_file(path, header, layout);
    H5Eset_auto2(H5E_DEFAULT, report, context);
    pthread_mutex_unlock(&hdf5_mutex);
    struct stat st;
    if (!ok || fstat(memory, &st) != 0) {
        close(memory);
        return tide_fail(err, TIDE_DISK,
                         "libhdf5 could not lay out the store (memory, or a limit of file sizes?)");
    }
    layout->file_bytes = (uint64_t)st.st_size;
    *fd = memory;
    return TIDE_OK;
}
