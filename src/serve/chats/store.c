#include "serve/chats/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"
#include "text/utf8.h"

enum { VERSION = 1, ID_BYTES = 20 + 1, TITLE_BYTES = 120 };

struct store {
    sqlite3 *db;
    pthread_mutex_t lock; // a change is several statements
};

static const char schema[] =
    "CREATE TABLE chats (id TEXT PRIMARY KEY, owner INTEGER NOT NULL, title TEXT NOT NULL DEFAULT "
    "'',"
    " model TEXT NOT NULL DEFAULT '', system TEXT NOT NULL DEFAULT '', settings TEXT NOT NULL"
    " DEFAULT '{}', leaf TEXT, created INTEGER NOT NULL, changed INTEGER NOT NULL);"
    "CREATE INDEX chats_of ON chats (owner, changed DESC);"
    "CREATE TABLE messages (id TEXT PRIMARY KEY, chat TEXT NOT NULL REFERENCES chats (id) ON DELETE"
    " CASCADE, parent TEXT, role TEXT NOT NULL, content TEXT NOT NULL DEFAULT '', reasoning TEXT "
    "NOT"
    " NULL DEFAULT '', files TEXT NOT NULL DEFAULT '[]', model TEXT NOT NULL DEFAULT '', status "
    "TEXT"
    " NOT NULL DEFAULT 'done', error TEXT NOT NULL DEFAULT '', facts TEXT NOT NULL DEFAULT '{}',"
    " created INTEGER NOT NULL);"
    "CREATE INDEX messages_of ON messages (chat, created);"
    "PRAGMA user_version = 1;";

/* ---- statements ---- */

static enum jl_status failed(struct store *store, struct jl_error *err) {
    return jl_fail(err, JL_ERR_IO, "the file of chats: %s", sqlite3_errmsg(store->db));
}

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for chats");
}

static enum jl_status no_chat(struct jl_error *err) {
    return jl_fail(err, JL_ERR_USAGE, "there is no such chat");
}

/* `kinds`: a letter for each value: t a text, i an int64_t, o an owner. */
static enum jl_status prepare(struct store *store, sqlite3_stmt **out, struct jl_error *err,
                              const char *sql, const char *kinds, va_list values) {
    if (sqlite3_prepare_v2(store->db, sql, -1, out, NULL) != SQLITE_OK) return failed(store, err);
    for (int i = 0; kinds[i]; i++) {
        const char *text;
        int bound;
        switch (kinds[i]) {
        case 't':
            text = va_arg(values, const char *);
            bound = text ? sqlite3_bind_text(*out, i + 1, text, -1, SQLITE_TRANSIENT)
                         : sqlite3_bind_null(*out, i + 1);
            break;
        case 'i': bound = sqlite3_bind_int64(*out, i + 1, va_arg(values, int64_t)); break;
        default: bound = sqlite3_bind_int64(*out, i + 1, (int64_t)va_arg(values, uint64_t)); break;
        }
        if (bound != SQLITE_OK) {
            sqlite3_finalize(*out);
            return failed(store, err);
        }
    }
    return JL_OK;
}

static enum jl_status open_query(struct store *store, sqlite3_stmt **out, struct jl_error *err,
                                 const char *sql, const char *kinds, ...) {
    va_list values;
    va_start(values, kinds);
    enum jl_status status = prepare(store, out, err, sql, kinds, values);
    va_end(values);
    return status;
}

/* A statement without rows; *n, where wanted: how many rows it changed. */
static enum jl_status run(struct store *store, int *n, struct jl_error *err, const char *sql,
                          const char *kinds, ...) {
    sqlite3_stmt *statement;
    va_list values;
    va_start(values, kinds);
    enum jl_status status = prepare(store, &statement, err, sql, kinds, values);
    va_end(values);
    if (status != JL_OK) return status;
    int step = sqlite3_step(statement);
    if (step != SQLITE_DONE && step != SQLITE_ROW) status = failed(store, err);
    sqlite3_finalize(statement);
    if (n) *n = sqlite3_changes(store->db);
    return status;
}

static enum jl_status begin(struct store *store, struct jl_error *err) {
    pthread_mutex_lock(&store->lock);
    enum jl_status status = run(store, NULL, err, "BEGIN IMMEDIATE", "");
    if (status != JL_OK) pthread_mutex_unlock(&store->lock);
    return status;
}

static enum jl_status end(struct store *store, enum jl_status status, struct jl_error *err) {
    struct jl_error inner;
    if (status == JL_OK) status = run(store, NULL, err, "COMMIT", "");
    if (status != JL_OK) run(store, NULL, &inner, "ROLLBACK", "");
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* ---- opening ---- */

static enum jl_status read_version(struct store *store, int64_t *version, struct jl_error *err) {
    sqlite3_stmt *query;
    JL_TRY(open_query(store, &query, err, "PRAGMA user_version", ""));
    bool row = sqlite3_step(query) == SQLITE_ROW;
    *version = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return row ? JL_OK : failed(store, err);
}

static enum jl_status make_ready(struct store *store, const char *path, struct jl_error *err) {
    int64_t version;
    if (sqlite3_exec(store->db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;", NULL, NULL,
                     NULL) != SQLITE_OK)
        return failed(store, err);
    JL_TRY(read_version(store, &version, err));
    if (version > VERSION)
        return jl_fail(err, JL_ERR_FORMAT, "%s is of version %d, which this program does not know",
                       path, (int)version);
    if (version == 0 && sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return failed(store, err);
    return run(store, NULL, err,
               "UPDATE messages SET status = 'cut' WHERE status IN ('running', 'waiting')", "");
}

enum jl_status store_open(const char *path, struct store **out, struct jl_error *err) {
    struct store *store = calloc(1, sizeof *store);
    *out = NULL;
    if (!store) return no_memory(err);
    pthread_mutex_init(&store->lock, NULL);
    mode_t mask = umask(0077); // what people have said
    int opened = sqlite3_open_v2(
        path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
    enum jl_status status = JL_OK;
    if (opened != SQLITE_OK)
        status = jl_fail(err, JL_ERR_IO, "%s: %s", path, sqlite3_errstr(opened));
    if (status == JL_OK) sqlite3_busy_timeout(store->db, 5000);
    if (status == JL_OK) status = make_ready(store, path, err);
    umask(mask);
    if (status != JL_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return JL_OK;
}

void store_close(struct store *store) {
    if (!store) return;
    sqlite3_close(store->db);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* ---- rows as JSON ---- */

static json_t *text_at(sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    if (!text) return json_null();
    return json_stringn(text, (size_t)sqlite3_column_bytes(row, column));
}

/* JSON that was kept as a text. */
static json_t *json_at(sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    json_t *value = NULL;
    if (text) jl_json_load(text, strlen(text), 0, &value, NULL);
    return value ? value : json_object();
}

#define CHAT_COLUMNS "id, title, model, system, settings, leaf, created, changed"

static json_t *chat_json(sqlite3_stmt *row) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "id", text_at(row, 0), "title",
                     text_at(row, 1), "model", text_at(row, 2), "system", text_at(row, 3),
                     "settings", json_at(row, 4), "leaf", text_at(row, 5), "created",
                     (json_int_t)sqlite3_column_int64(row, 6), "changed",
                     (json_int_t)sqlite3_column_int64(row, 7));
}

#define MESSAGE_COLUMNS                                                                            \
    "id, parent, role, content, reasoning, files, model, status, error, facts, created"

static json_t *message_json(sqlite3_stmt *row) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "id",
                     text_at(row, 0), "parent", text_at(row, 1), "role", text_at(row, 2), "content",
                     text_at(row, 3), "reasoning", text_at(row, 4), "files", json_at(row, 5),
                     "model", text_at(row, 6), "status", text_at(row, 7), "error", text_at(row, 8),
                     "facts", json_at(row, 9), "created",
                     (json_int_t)sqlite3_column_int64(row, 10));
}

/* Takes the query. */
static enum jl_status list_rows(struct store *store, sqlite3_stmt *query,
                                json_t *(*to_json)(sqlite3_stmt *row), json_t **out,
                                struct jl_error *err) {
    json_t *list = json_array();
    int step;
    while ((step = sqlite3_step(query)) == SQLITE_ROW)
        if (!list || json_array_append_new(list, to_json(query))) {
            json_decref(list);
            list = NULL;
        }
    sqlite3_finalize(query);
    if (step != SQLITE_DONE) {
        json_decref(list);
        return failed(store, err);
    }
    *out = list;
    return list ? JL_OK : no_memory(err);
}

/* ---- chats ---- */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool make_id(char out[ID_BYTES]) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[ID_BYTES - 1];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return false;
    for (int i = 0; i < ID_BYTES - 1; i++)
        out[i] = letters[bytes[i] & 31];
    out[ID_BYTES - 1] = 0;
    return true;
}

enum jl_status store_list(struct store *store, uint64_t owner, const struct store_search *search,
                          json_t **out, struct jl_error *err) {
    sqlite3_stmt *query;
    bool any = !search->text || !*search->text;
    JL_TRY(open_query(store, &query, err,
                      "SELECT " CHAT_COLUMNS " FROM chats WHERE owner = ?1 AND"
                      " (changed < ?2 OR (changed = ?2 AND ?6 <> '' AND id > ?6)) AND"
                      " (?3 OR instr(lower(title), lower(?4)) OR EXISTS (SELECT 1 FROM messages"
                      "  WHERE chat = chats.id AND instr(lower(content), lower(?4))))"
                      " ORDER BY changed DESC, id LIMIT ?5",
                      "oiitit", owner, search->before ? search->before : INT64_MAX, (int64_t)any,
                      any ? "" : search->text, (int64_t)search->most,
                      search->behind ? search->behind : ""));
    return list_rows(store, query, chat_json, out, err);
}

/* Columns that fields may set: texts, and JSON kept as texts. FILES: [{"name", "text"}]. */
enum shape { TEXT, OBJECT, FILES };
struct column {
    const char *name;
    enum shape shape;
};

static bool has_shape(const json_t *value, enum shape shape) {
    const json_t *file;
    size_t i;
    if (shape == TEXT) return json_is_string(value);
    if (shape == OBJECT) return json_is_object(value);
    json_array_foreach(value, i, file) {
        if (!json_is_string(json_object_get(file, "name")) ||
            !json_is_string(json_object_get(file, "text")))
            return false;
    }
    return json_is_array(value);
}

static enum jl_status set_column(struct store *store, const char *table, const char *id,
                                 const struct column *column, const json_t *value,
                                 struct jl_error *err) {
    static const char *const shapes[] = {"a text", "an object", "a list of {\"name\", \"text\"}"};
    char sql[128], *dumped = NULL;
    snprintf(sql, sizeof sql, "UPDATE %s SET %s = ?1 WHERE id = ?2", table, column->name);
    if (!has_shape(value, column->shape))
        return jl_fail(err, JL_ERR_USAGE, "\"%s\" must be %s", column->name, shapes[column->shape]);
    if (column->shape != TEXT && !(dumped = json_dumps(value, JSON_COMPACT))) return no_memory(err);
    enum jl_status status =
        run(store, NULL, err, sql, "tt", dumped ? dumped : json_string_value(value), id);
    free(dumped);
    return status;
}

static enum jl_status set_columns(struct store *store, const char *table, const char *id,
                                  const struct column *columns, size_t n, const json_t *fields,
                                  struct jl_error *err) {
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(fields, columns[i].name);
        if (value && !json_is_null(value))
            JL_TRY(set_column(store, table, id, &columns[i], value, err));
    }
    return JL_OK;
}

static const struct column chat_columns[] = {
    {"title", TEXT}, {"model", TEXT}, {"system", TEXT}, {"settings", OBJECT}, {"leaf", TEXT}};
#define N_CHAT_COLUMN (sizeof chat_columns / sizeof chat_columns[0])

static enum jl_status find_chat(struct store *store, uint64_t owner, const char *chat, json_t **out,
                                struct jl_error *err) {
    sqlite3_stmt *query;
    JL_TRY(open_query(store, &query, err,
                      "SELECT " CHAT_COLUMNS " FROM chats WHERE id = ?1 AND owner = ?2", "to", chat,
                      owner));
    int step = sqlite3_step(query);
    *out = step == SQLITE_ROW ? chat_json(query) : NULL;
    sqlite3_finalize(query);
    if (step == SQLITE_DONE) return no_chat(err);
    if (step != SQLITE_ROW) return failed(store, err);
    return *out ? JL_OK : no_memory(err);
}

/* Whether the owner has it. */
static enum jl_status check_chat(struct store *store, uint64_t owner, const char *chat,
                                 struct jl_error *err) {
    json_t *found;
    JL_TRY(find_chat(store, owner, chat, &found, err));
    json_decref(found);
    return JL_OK;
}

enum jl_status store_create(struct store *store, uint64_t owner, const json_t *fields, json_t **out,
                            struct jl_error *err) {
    char id[ID_BYTES];
    int64_t now = now_ms();
    *out = NULL;
    if (!make_id(id)) return jl_fail(err, JL_ERR_IO, "the system gives no random bytes");
    JL_TRY(begin(store, err));
    enum jl_status status = run(store, NULL, err,
                                "INSERT INTO chats (id, owner, created, changed) VALUES"
                                " (?1, ?2, ?3, ?3)",
                                "toi", id, owner, now);
    if (status == JL_OK)
        status = set_columns(store, "chats", id, chat_columns, N_CHAT_COLUMN - 1, fields, err);
    status = end(store, status, err);
    return status == JL_OK ? find_chat(store, owner, id, out, err) : status;
}

enum jl_status store_get(struct store *store, uint64_t owner, const char *chat, json_t **out,
                         struct jl_error *err) {
    sqlite3_stmt *query;
    json_t *messages;
    JL_TRY(find_chat(store, owner, chat, out, err));
    enum jl_status status = open_query(store, &query, err,
                                       "SELECT " MESSAGE_COLUMNS
                                       " FROM messages WHERE chat = ?1 ORDER BY created, rowid",
                                       "t", chat);
    if (status == JL_OK) status = list_rows(store, query, message_json, &messages, err);
    if (status == JL_OK && json_object_set_new(*out, "messages", messages)) status = no_memory(err);
    if (status == JL_OK) return JL_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}

enum jl_status store_change(struct store *store, uint64_t owner, const char *chat,
                            const json_t *fields, struct jl_error *err) {
    JL_TRY(begin(store, err));
    enum jl_status status = check_chat(store, owner, chat, err);
    if (status == JL_OK)
        status = set_columns(store, "chats", chat, chat_columns, N_CHAT_COLUMN, fields, err);
    return end(store, status, err);
}

enum jl_status store_remove(struct store *store, uint64_t owner, const char *chat,
                            struct jl_error *err) {
    int n;
    JL_TRY(begin(store, err));
    enum jl_status status =
        run(store, &n, err, "DELETE FROM chats WHERE id = ?1 AND owner = ?2", "to", chat, owner);
    if (status == JL_OK && n == 0) status = no_chat(err);
    return end(store, status, err);
}

/* ---- messages ---- */

static const struct column message_columns[] = {
    {"content", TEXT}, {"reasoning", TEXT}, {"status", TEXT}, {"error", TEXT},
    {"facts", OBJECT}, {"model", TEXT},     {"files", FILES}};
#define N_WRITTEN 5 // of them are written later, too
#define N_MESSAGE_COLUMN (sizeof message_columns / sizeof message_columns[0])

/* The first line of a question, no longer than titles are. */
static void title_of(const char *content, char out[TITLE_BYTES]) {
    size_t n = strcspn(content += strspn(content, " \t\r\n"), "\r\n");
    if (n > TITLE_BYTES - 1) n = TITLE_BYTES - 1;
    n = utf8_valid_length(content, n);
    memcpy(out, content, n);
    out[n] = 0;
}

static enum jl_status check_parent(struct store *store, const char *chat, const char *parent,
                                   struct jl_error *err) {
    sqlite3_stmt *query;
    if (!parent) return JL_OK;
    JL_TRY(open_query(store, &query, err, "SELECT 1 FROM messages WHERE id = ?1 AND chat = ?2",
                      "tt", parent, chat));
    int step = sqlite3_step(query);
    sqlite3_finalize(query);
    if (step == SQLITE_DONE)
        return jl_fail(err, JL_ERR_USAGE, "the message that it follows is not in this chat");
    return step == SQLITE_ROW ? JL_OK : failed(store, err);
}

/* Inside a transaction. */
static enum jl_status add_message(struct store *store, const char *chat, const char *id,
                                  const char *parent, const json_t *fields, struct jl_error *err) {
    const char *role = json_string_value(json_object_get(fields, "role"));
    int64_t now = now_ms();
    if (!role || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0))
        return jl_fail(err, JL_ERR_USAGE, "\"role\" must be user or assistant");
    JL_TRY(check_parent(store, chat, parent, err));
    JL_TRY(run(store, NULL, err,
               "INSERT INTO messages (id, chat, parent, role, created) VALUES (?1, ?2, ?3, ?4, ?5)",
               "tttti", id, chat, parent, role, now));
    JL_TRY(set_columns(store, "messages", id, message_columns, N_MESSAGE_COLUMN, fields, err));
    JL_TRY(run(store, NULL, err, "UPDATE chats SET leaf = ?1, changed = ?2 WHERE id = ?3", "tit",
               id, now, chat));
    const char *content = json_string_value(json_object_get(fields, "content"));
    char title[TITLE_BYTES];
    if (strcmp(role, "user") != 0 || !content) return JL_OK;
    title_of(content, title);
    return run(store, NULL, err, "UPDATE chats SET title = ?1 WHERE id = ?2 AND title = ''", "tt",
               title, chat);
}

static enum jl_status find_message(struct store *store, const char *id, json_t **out,
                                   struct jl_error *err) {
    sqlite3_stmt *query;
    JL_TRY(open_query(store, &query, err, "SELECT " MESSAGE_COLUMNS " FROM messages WHERE id = ?1",
                      "t", id));
    int step = sqlite3_step(query);
    *out = step == SQLITE_ROW ? message_json(query) : NULL;
    sqlite3_finalize(query);
    if (step == SQLITE_DONE) return jl_fail(err, JL_ERR_USAGE, "there is no such message");
    if (step != SQLITE_ROW) return failed(store, err);
    return *out ? JL_OK : no_memory(err);
}

enum jl_status store_say(struct store *store, uint64_t owner, const char *chat,
                         const json_t *fields, json_t **out, struct jl_error *err) {
    const char *parent = json_string_value(json_object_get(fields, "parent"));
    char id[ID_BYTES];
    *out = NULL;
    if (!make_id(id)) return jl_fail(err, JL_ERR_IO, "the system gives no random bytes");
    JL_TRY(begin(store, err));
    enum jl_status status = check_chat(store, owner, chat, err);
    if (status == JL_OK) status = add_message(store, chat, id, parent, fields, err);
    status = end(store, status, err);
    return status == JL_OK ? find_message(store, id, out, err) : status;
}

enum jl_status store_write(struct store *store, const char *message, const json_t *fields,
                           struct jl_error *err) {
    JL_TRY(begin(store, err));
    enum jl_status status =
        set_columns(store, "messages", message, message_columns, N_WRITTEN, fields, err);
    return end(store, status, err);
}

enum jl_status store_way(struct store *store, uint64_t owner, const char *chat, const char *message,
                         json_t **out, struct jl_error *err) {
    sqlite3_stmt *query;
    *out = NULL;
    JL_TRY(check_chat(store, owner, chat, err));
    JL_TRY(open_query(store, &query, err,
                      "WITH RECURSIVE way (step, id) AS (SELECT 0, ?1 UNION ALL SELECT step + 1,"
                      " messages.parent FROM way JOIN messages ON messages.id = way.id WHERE"
                      " messages.parent IS NOT NULL) SELECT messages.id, parent, role, content,"
                      " reasoning, files, model, status, error, facts, created FROM way JOIN"
                      " messages ON messages.id = way.id WHERE chat = ?2 ORDER BY step DESC",
                      "tt", message, chat));
    return list_rows(store, query, message_json, out, err);
}

/* ---- all of it ---- */

enum jl_status store_export(struct store *store, uint64_t owner, json_t **out,
                            struct jl_error *err) {
    json_t *list, *chat, *all = json_array();
    size_t i;
    *out = NULL;
    if (!all) return no_memory(err);
    const struct store_search any = {.most = -1};
    enum jl_status status = store_list(store, owner, &any, &list, err);
    if (status != JL_OK) {
        json_decref(all);
        return status;
    }
    json_array_foreach(list, i, chat) {
        json_t *whole = NULL;
        if (status == JL_OK)
            status = store_get(store, owner, json_string_value(json_object_get(chat, "id")), &whole,
                               err);
        if (status == JL_OK && json_array_append_new(all, whole)) status = no_memory(err);
    }
    json_decref(list);
    if (status == JL_OK) *out = json_pack("{s:i, s:O}", "jinlin_chats", VERSION, "chats", all);
    json_decref(all);
    return status == JL_OK && !*out ? no_memory(err) : status;
}

/* A time of an export, or now. */
static int64_t time_of(const json_t *fields, const char *name, int64_t now) {
    json_int_t time = json_integer_value(json_object_get(fields, name));
    return time > 0 && time <= now ? (int64_t)time : now;
}

/* One chat under new ids; inside a transaction. */
static enum jl_status import_chat(struct store *store, uint64_t owner, const json_t *chat,
                                  struct jl_error *err) {
    char id[ID_BYTES], message_id[ID_BYTES];
    json_t *ids = json_object(), *message; // old ones to new ones
    int64_t now = now_ms();
    size_t i;
    if (!ids) return no_memory(err);
    enum jl_status status = JL_OK;
    if (!make_id(id)) status = jl_fail(err, JL_ERR_IO, "the system gives no random bytes");
    if (status == JL_OK)
        status = run(store, NULL, err,
                     "INSERT INTO chats (id, owner, created, changed) VALUES (?1, ?2, ?3, ?3)",
                     "toi", id, owner, now);
    if (status == JL_OK)
        status = set_columns(store, "chats", id, chat_columns, N_CHAT_COLUMN - 1, chat, err);
    json_array_foreach(json_object_get(chat, "messages"), i, message) {
        const char *old = json_string_value(json_object_get(message, "id"));
        const char *parent = json_string_value(json_object_get(message, "parent"));
        const json_t *known = parent ? json_object_get(ids, parent) : NULL;
        if (status != JL_OK) break;
        if (!old || (parent && !known))
            status = jl_fail(err, JL_ERR_FORMAT, "message %zu of a chat follows none before it", i);
        else if (!make_id(message_id))
            status = jl_fail(err, JL_ERR_IO, "the system gives no random bytes");
        else if (json_object_set_new(ids, old, json_string(message_id)))
            status = no_memory(err);
        if (status == JL_OK)
            status = add_message(store, id, message_id, json_string_value(known), message, err);
        if (status == JL_OK)
            status = run(store, NULL, err, "UPDATE messages SET created = ?1 WHERE id = ?2", "it",
                         time_of(message, "created", now), message_id);
    }
    const char *leaf = json_string_value(json_object_get(chat, "leaf"));
    const char *at = leaf ? json_string_value(json_object_get(ids, leaf)) : NULL;
    if (status == JL_OK && at)
        status = run(store, NULL, err, "UPDATE chats SET leaf = ?1 WHERE id = ?2", "tt", at, id);
    if (status == JL_OK)
        status = run(store, NULL, err,
                     "UPDATE messages SET status = 'cut' WHERE chat = ?1 AND status IN ('running',"
                     " 'waiting')",
                     "t", id);
    if (status == JL_OK)
        status = run(store, NULL, err, "UPDATE chats SET created = ?1, changed = ?2 WHERE id = ?3",
                     "iit", time_of(chat, "created", now), time_of(chat, "changed", now), id);
    json_decref(ids);
    return status;
}

enum jl_status store_import(struct store *store, uint64_t owner, const json_t *chats, int *n,
                            struct jl_error *err) {
    const json_t *list = json_object_get(chats, "chats"), *chat;
    size_t i;
    *n = 0;
    if (json_integer_value(json_object_get(chats, "jinlin_chats")) != VERSION ||
        !json_is_array(list))
        return jl_fail(err, JL_ERR_FORMAT, "this is no file of chats: {\"jinlin_chats\": 1, ...}");
    JL_TRY(begin(store, err));
    enum jl_status status = JL_OK;
    json_array_foreach(list, i, chat) {
        if (status == JL_OK) status = import_chat(store, owner, chat, err);
    }
    status = end(store, status, err);
    if (status == JL_OK) *n = (int)json_array_size(list);
    return status;
}
