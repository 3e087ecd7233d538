/*
 * test_blocks_damage.c - binary recordings that are cut off or damaged: all whole blocks are read,
 * and nothing is ever read that was not written.
 */
#include "core/source/block.h"
#include "tests/unit/blocks_kit.h"
#include "tests/unit/temp_file.h"

#define PARTS 64

struct file {
    const char *path;
    char *bytes;
    size_t len;
    struct blocks_list *want; /* in the order of the file */
    struct {
        size_t from, to;
        uint32_t snapshots;
    } parts[PARTS];
    size_t count;
};

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(1 << 20);

    if (!f || !bytes)
        exit(1);
    *len = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static struct file make_file(void)
{
    const struct das_recording_opts opts = {.flush_ms = 1500};
    struct file f = {.path = temp_write("", 0)};
    struct das_crc32 crc;
    struct das_block_head h;
    const char *wrong;
    struct blocks_list *given = calloc(1, sizeof *given);

    blocks_write_random(f.path, &opts, 24, 1700000000000, given);
    blocks_free(given);
    f.want = blocks_read(f.path, NULL);
    f.bytes = slurp(f.path, &f.len);
    das_crc32_init(&crc);
    for (size_t at = DAS_REC_FILE_HEAD; at < f.len && f.count < PARTS; f.count++) {
        const unsigned char *p = (const unsigned char *)f.bytes + at;

        must(das_block_begins(p) && das_block_head_read(&crc, p, &h, &wrong) == 0, "block %zu",
             f.count);
        f.parts[f.count].from = at;
        at += DAS_BLOCK_HEAD + h.instance.len + h.stored;
        f.parts[f.count].to = at;
        f.parts[f.count].snapshots = h.snapshots;
    }
    ok(f.count > 5, "a file of %zu blocks, %zu bytes", f.count, f.len);
    return f;
}

/* How many of the first snapshots of want got has; -1 when one is not the same. */
static long prefix(const struct blocks_list *want, const struct blocks_list *got)
{
    for (size_t i = 0; i < got->count; i++) {
        if (i >= want->count || strcmp(want->at[i].text, got->at[i].text) != 0 ||
            want->at[i].ms != got->at[i].ms ||
            strcmp(want->at[i].instance, got->at[i].instance) != 0)
            return -1;
    }
    return (long)got->count;
}

static const char *copy_of(const struct file *f, size_t len)
{
    return temp_write(f->bytes, len);
}

static void cut_anywhere(const struct file *f)
{
    size_t wrong = 0, silent = 0, lost = 0;

    for (size_t len = 0; len < f->len; len++) {
        const char *path = copy_of(f, len);
        struct blocks_list *got = blocks_read(path, NULL);
        size_t whole = 0, snapshots = 0;
        bool within = len > DAS_REC_FILE_HEAD;

        for (; whole < f->count && f->parts[whole].to <= len; whole++) {
            snapshots += f->parts[whole].snapshots;
            within = f->parts[whole].to < len;
        }
        wrong += prefix(f->want, got) < 0;
        lost += got->count != snapshots;
        if (whole)
            silent += got->rc != 0 || within != (got->note[0] != '\0');
        else
            silent += got->rc == 0 || !got->err.msg[0];
        blocks_free(got);
        unlink(path);
    }
    is_int(wrong, 0, "cut off at each byte: nothing is read that was not written");
    is_int(lost, 0, "and all whole blocks are");
    is_int(silent, 0, "what is left out is told, and an error if it is all there was");
}

/* A later run goes on after the last whole block. */
static void append_to_cut(const struct file *f)
{
    size_t wrong = 0, silent = 0, refused = 0;

    for (size_t len = 0; len <= f->len; len += 1 + len % 7) {
        const char *path = copy_of(f, len);
        struct das_recording_writer *w;
        struct das_recording_stream *stream;
        struct das_session one = kit_session(4711);
        struct das_snapshot *s = kit_snapshot(&one, 1);
        struct blocks_list *got;
        struct das_err err = {0};
        size_t whole = 0, snapshots = 0, end = len < DAS_REC_FILE_HEAD ? 0 : DAS_REC_FILE_HEAD;
        bool magic_is_cut = len > 0 && len < DAS_REC_MAGIC_LEN;

        for (; whole < f->count && f->parts[whole].to <= len; whole++) {
            snapshots += f->parts[whole].snapshots;
            end = f->parts[whole].to;
        }
        if (das_recording_writer_open(path, NULL, &w, &err) < 0) {
            refused += !magic_is_cut;
        } else {
            silent += (end != len) != (das_recording_writer_note(w) != NULL);
            stream = das_recording_writer_stream(w, "later", &err);
            wrong += das_recording_stream_add(stream, s, 5, &err) < 0 ||
                     das_recording_writer_close(w, &err) < 0;
            got = blocks_read(path, NULL);
            wrong += got->rc != 0 || got->note[0] || got->count != snapshots + 1 ||
                     strcmp(got->at[got->count - 1].instance, "later") != 0;
            if (got->count == snapshots + 1)
                blocks_drop_last(got);
            wrong += prefix(f->want, got) != (long)snapshots;
            blocks_free(got);
        }
        das_snapshot_release(s);
        unlink(path);
    }
    is_int(refused, 0, "appending to a file that was cut off");
    is_int(wrong, 0, "keeps all whole blocks and goes on behind them");
    is_int(silent, 0, "and says what it cut off");
}

static void flip_anywhere(const struct file *f)
{
    size_t wrong = 0, silent = 0, middle = 0;

    for (size_t at = 0; at < f->len; at++) {
        char was = f->bytes[at];
        const char *path;
        struct blocks_list *got;
        bool reserved = at >= 12 && at < DAS_REC_FILE_HEAD;

        f->bytes[at] = (char)(was ^ 1 << kit_below(8));
        path = copy_of(f, f->len);
        f->bytes[at] = was;
        got = blocks_read(path, NULL);
        wrong += prefix(f->want, got) < 0;
        if (!reserved)
            silent += got->rc == 0 && !got->note[0];
        if (at >= f->parts[0].from && at < f->parts[f->count - 1].from)
            middle += got->rc == 0 || !strstr(got->err.msg, "byte ");
        blocks_free(got);
        unlink(path);
    }
    is_int(wrong, 0, "one bit flipped at each byte: nothing is read that was not written");
    is_int(silent, 0, "and it is told");
    is_int(middle, 0, "in the middle as an error that names the place");
}

/* Zeros at the end, as a crash of the machine may leave them. */
static void zeros(const struct file *f)
{
    char *bytes = calloc(1, f->len + 100);
    struct das_recording_writer *w;
    struct das_err err = {0};
    struct blocks_list *got;
    const char *path;

    memcpy(bytes, f->bytes, f->len);
    path = temp_write(bytes, f->len + 100);
    got = blocks_read(path, NULL);
    is_int(got->rc, 0, "zeros behind the last block are no error");
    is_int(got->count, f->want->count, "all blocks before them are read");
    has_str(got->note, "nothing but zeros", "and it is told");
    blocks_free(got);
    must(das_recording_writer_open(path, NULL, &w, &err) == 0, "it can be appended to: %s",
         err.msg);
    has_str(das_recording_writer_note(w), "cut off", "and that is told, too");
    das_recording_writer_close(w, NULL);
    got = blocks_read(path, NULL);
    ok(got->count == f->want->count && !got->note[0], "the zeros are gone");
    blocks_free(got);
    unlink(path);
    free(bytes);
}

/* Two files put together are one. */
static void together(const struct file *f)
{
    char *bytes = malloc(f->len * 2);
    struct blocks_list *got;
    const char *path;

    memcpy(bytes, f->bytes, f->len);
    memcpy(bytes + f->len, f->bytes, f->len);
    path = temp_write(bytes, f->len * 2);
    got = blocks_read(path, NULL);
    is_int(got->rc, 0, "files put together are read: %s", got->err.msg);
    is_int(got->count, f->want->count * 2, "all that is in them");
    blocks_free(got);
    unlink(path);
    free(bytes);
}

static void refused(void)
{
    struct das_recording_writer *w, *second;
    struct das_err err = {0};
    const char *text = temp_text("no recording at all"), *path = temp_write("", 0);
    size_t len;
    char *bytes;

    ok(das_recording_writer_open(text, NULL, &w, &err) < 0 && err.code == DAS_E_DATA,
       "nothing is appended to something else: %s", err.msg);
    bytes = slurp(text, &len);
    ok(len == 19 && memcmp(bytes, "no recording at all", 19) == 0, "which stays as it is");
    free(bytes);
    must(das_recording_writer_open(path, NULL, &w, &err) == 0, "a file is being written");
    ok(das_recording_writer_open(path, NULL, &second, &err) < 0 && err.code == DAS_E_BUSY,
       "nobody else writes to it: %s", err.msg);
    das_recording_writer_close(w, &err);
    ok(das_recording_writer_open("/nonexistent/a.das", NULL, &w, &err) < 0 && err.code == DAS_E_IO,
       "a folder that is not there: %s", err.msg);
}

int main(void)
{
    uint64_t seed = kit_seed(11);
    struct file f;

    tap_diag("SEED=%llu", (unsigned long long)seed);
    f = make_file();
    cut_anywhere(&f);
    append_to_cut(&f);
    flip_anywhere(&f);
    zeros(&f);
    together(&f);
    refused();
    blocks_free(f.want);
    free(f.bytes);
    temp_clear();
    return tap_done();
}
