/* What `protocol.heads` and `protocol.preparing` do for the heads that are as heads usually are, in fewer steps.
 *
 * Reader: bytes of a request's head to a Head. Writer: a status and a list of fields to a Prepared. Both return None for
 * whatever they do not take: the readers in Python then give the verdict, so nothing is ever refused here, and nothing
 * may be taken here that they would refuse or would take to be another request.
 *
 * The limited API of CPython 3.8 (PEP 384): one file serves every later CPython that has a GIL. The GIL guards what is
 * remembered; it is looked up anew after each call that may run Python.
 */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x03080000
#endif
#include <Python.h>
#include <string.h>

/* "#" is a Py_ssize_t. Before 3.13 that is so under these names alone, which each later version has, too, as part of the
 * stable ABI; its headers name others, which an earlier interpreter reads an int with. */
#ifndef PyArg_ParseTuple
PyAPI_FUNC(int) _PyArg_ParseTuple_SizeT(PyObject *, const char *, ...);
PyAPI_FUNC(PyObject *) _Py_BuildValue_SizeT(const char *, ...);
#define PyArg_ParseTuple _PyArg_ParseTuple_SizeT
#define Py_BuildValue _Py_BuildValue_SizeT
#endif

enum { LONGEST_NAME = 62, SETS = 128, LONGEST_PATH = 2048, LENGTH_DIGITS = 18, PORT_DIGITS = 5 };
enum { LONGEST_TEXT = 1024, LONGEST_ANSWER = 4096, ANSWER_LENGTH_DIGITS = 15 };

/* Of bytes: in a token (RFC 9110 section 5.6.2); in a target, "#" is not (RFC 9112 section 3.2); in a host that is
 * neither IPv6 nor rare; no control but HTAB. */
enum { TOKEN = 1, TARGET = 2, HOST = 4, TEXT = 8, DIGIT = 16 };
static unsigned char classes[256];

static void
fill_classes(void)
{
    for (int c = 0; c < 256; c++) {
        int digit = c >= '0' && c <= '9';
        int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        int found = digit ? DIGIT : 0;
        if (digit || letter || (c && strchr("!#$%&'*+-.^_`|~", c)))
            found |= TOKEN;
        if (c >= '!' && c <= '~' && c != '#')
            found |= TARGET;
        if (digit || letter || c == '.' || c == '-' || c == '_')
            found |= HOST;
        if (c == '\t' || (c >= ' ' && c != 127))
            found |= TEXT;
        classes[c] = (unsigned char)found;
    }
}

#define IS(c, class) (classes[(unsigned char)(c)] & (class))
#define NONE (Py_INCREF(Py_None), Py_None)

/* Which keys of an environ say how a request is framed. DROPPED has none. */
enum { PLAIN, DROPPED, HOST_KEY, LENGTH_KEY, CONNECTION_KEY, RARE_KEY };

typedef struct {
    PyObject *key; /* NULL: unused */
    unsigned char kind;
    unsigned char length;
    char name[LONGEST_NAME];
} Name;

/* Made once, never let go. */
enum {
    REQUEST_METHOD, REQUEST_URI, PATH_INFO, QUERY_STRING, SERVER_PROTOCOL,
    A_METHOD, A_TARGET, AN_ENVIRON, IS_HTTP_1_1, KEEP_ALIVE, ORDINARY, LENGTH,
    HTTP_1_0, HTTP_1_1, GET, POST, EMPTY, CODE, LINES, OWN, CONTENT_LENGTH, WORDS
};
static PyObject *words[WORDS], *no_arguments, *zero;
static const char *const spelled[WORDS] = {
    "REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL",
    "method", "target", "environ", "is_http_1_1", "keep_alive", "ordinary", "length",
    "HTTP/1.0", "HTTP/1.1", "GET", "POST", "", "code", "lines", "own", "Content-Length"
};

/* A Reader and a Writer are one kind of object, with two ways to be called. */
typedef struct {
    PyObject_HEAD
    PyTypeObject *made; /* Head, Prepared */
    PyObject *names; /* of a Reader: called with a name, its key or "" for what is dropped; of a Writer: name -> kind */
    PyObject *statuses; /* of a Writer: status -> (code, line) */
    long last_plain; /* kinds up to this one need nothing but their line */
    Py_ssize_t line_limit; /* 0: none */
    Name known[SETS][2]; /* of a Reader, two for each hash: a stranger's names take no more room, and cost a call each */
} Tool;

/* An instance as `object.__new__` makes it, of a class written in Python, with these attributes. */
static PyObject *
make(PyTypeObject *type, int count, const int *names, PyObject *const *values)
{
    PyObject *made = ((newfunc)PyType_GetSlot(type, Py_tp_new))(type, no_arguments, NULL);
    for (int i = 0; made && i < count; i++)
        if (PyObject_SetAttr(made, words[names[i]], values[i]))
            Py_CLEAR(made);
    return made;
}

static int
kind_of(PyObject *key)
{
    static const struct { const char *key; int kind; } known[] = {
        {"", DROPPED}, {"HTTP_HOST", HOST_KEY}, {"CONTENT_LENGTH", LENGTH_KEY}, {"HTTP_CONNECTION", CONNECTION_KEY},
        {"HTTP_TRANSFER_ENCODING", RARE_KEY}, {"HTTP_EXPECT", RARE_KEY},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!PyUnicode_CompareWithASCIIString(key, known[i].key))
            return known[i].kind;
    return PLAIN;
}

/* Return a new reference to the key of a name that is a token, NULL with an exception. */
static PyObject *
key_of(Tool *self, const char *name, size_t length, unsigned hash, int *kind, int (*kinds)(PyObject *))
{
    Name *set = self->known[(hash ^ (hash >> 8) ^ (hash >> 16)) % SETS];
    for (int way = 0; way < 2; way++)
        if (set[way].key && set[way].length == length && !memcmp(set[way].name, name, length)) {
            *kind = set[way].kind;
            Py_INCREF(set[way].key);
            return set[way].key;
        }
    PyObject *text = PyUnicode_DecodeLatin1(name, (Py_ssize_t)length, NULL);
    if (!text)
        return NULL;
    PyObject *key = PyObject_CallFunctionObjArgs(self->names, text, NULL);
    Py_DECREF(text);
    if (!key)
        return NULL;
    if (!PyUnicode_CheckExact(key)) {
        Py_DECREF(key);
        PyErr_SetString(PyExc_TypeError, "the key of a name must be a str");
        return NULL;
    }
    *kind = kinds(key);
    PyObject *old = set[1].key;
    set[1] = set[0];
    set[0].key = key;
    set[0].kind = (unsigned char)*kind;
    set[0].length = (unsigned char)length;
    memcpy(set[0].name, name, length);
    Py_XDECREF(old);
    Py_INCREF(key);
    return key;
}

/* Set environ[key] to bytes decoded as Latin-1 (PEP 3333, "Unicode Issues"); 0 or -1 with an exception. */
static int
set_text(PyObject *environ, PyObject *key, const char *start, const char *end)
{
    PyObject *text = PyUnicode_DecodeLatin1(start, end - start, NULL);
    if (!text)
        return -1;
    int done = PyDict_SetItem(environ, key, text);
    Py_DECREF(text);
    return done;
}

static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As urllib.parse.unquote_to_bytes; returns the length, -1 if there is no room. */
static Py_ssize_t
unquote(const char *start, const char *end, char *out)
{
    if (end - start > LONGEST_PATH)
        return -1;
    char *to = out;
    while (start < end) {
        if (*start == '%' && end - start > 2 && hex(start[1]) >= 0 && hex(start[2]) >= 0) {
            *to++ = (char)(hex(start[1]) * 16 + hex(start[2]));
            start += 3;
        } else
            *to++ = *start++;
    }
    return to - out;
}

static int
is_usual_host(const char *start, const char *end)
{
    const char *at = start;
    while (at < end && IS(*at, HOST))
        at++;
    if (at == start)
        return 0;
    if (at == end)
        return 1;
    if (*at++ != ':' || end - at > PORT_DIGITS)
        return 0;
    while (at < end && IS(*at, DIGIT))
        at++;
    return at == end;
}

/* Whether a text without controls is a word of small letters and dashes, in either case. */
static int
is_word(const char *start, const char *end, const char *word)
{
    while (start < end && *word && (*start | 32) == *word)
        start++, word++;
    return start == end && !*word;
}

/* What a request line and the fields say of a message. */
typedef struct {
    PyObject *method, *target; /* borrowed from the environ, or from a Reader's words */
    int is_http_1_1, is_head, keep_alive;
    long long length; /* -1: there is no Content-Length */
    int has_host;
} Facts;

enum { TAKEN = 1, NOT_TAKEN = 0, FAILED = -1 };

/* Fill in what the request line says, and move *at behind it. */
static int
take_request_line(const char **at, const char *end, PyObject *environ, Facts *facts)
{
    const char *start = *at, *place = start;
    while (place < end && IS(*place, TOKEN))
        place++;
    size_t size = (size_t)(place - start);
    if (!size || place == end || *place != ' ')
        return NOT_TAKEN;
    if ((size == 7 && !memcmp(start, "CONNECT", 7)) || (size == 3 && !memcmp(start, "PRI", 3)))
        return NOT_TAKEN;
    const char *target = ++place, *query = NULL, *coded = NULL;
    while (place < end && IS(*place, TARGET)) {
        if (*place == '?' && !query)
            query = place;
        else if (*place == '%' && !query)
            coded = place;
        place++;
    }
    if (place == target || *target != '/' || end - place < 11)
        return NOT_TAKEN;
    if (memcmp(place, " HTTP/1.", 8) || !IS(place[8], DIGIT) || place[9] != '\r' || place[10] != '\n')
        return NOT_TAKEN;
    facts->is_http_1_1 = facts->keep_alive = place[8] != '0';
    facts->is_head = size == 4 && !memcmp(start, "HEAD", 4);
    *at = place + 11;

    if (PyDict_SetItem(environ, words[SERVER_PROTOCOL], words[facts->is_http_1_1 ? HTTP_1_1 : HTTP_1_0]))
        return FAILED;
    int done;
    if (size == 3 && !memcmp(start, "GET", 3))
        done = PyDict_SetItem(environ, words[REQUEST_METHOD], words[GET]);
    else if (size == 4 && !memcmp(start, "POST", 4))
        done = PyDict_SetItem(environ, words[REQUEST_METHOD], words[POST]);
    else
        done = set_text(environ, words[REQUEST_METHOD], start, start + size);
    if (done || set_text(environ, words[REQUEST_URI], target, place))
        return FAILED;
    facts->method = PyDict_GetItemWithError(environ, words[REQUEST_METHOD]);
    facts->target = PyDict_GetItemWithError(environ, words[REQUEST_URI]);
    if (!facts->method || !facts->target)
        return FAILED;

    const char *path_end = query ? query : place;
    if (coded) {
        char path[LONGEST_PATH];
        Py_ssize_t length = unquote(target, path_end, path);
        if (length < 0)
            return NOT_TAKEN;
        done = set_text(environ, words[PATH_INFO], path, path + length);
    } else if (query)
        done = set_text(environ, words[PATH_INFO], target, query);
    else
        done = PyDict_SetItem(environ, words[PATH_INFO], facts->target);
    if (done)
        return FAILED;
    if (query)
        done = set_text(environ, words[QUERY_STRING], query + 1, place);
    else
        done = PyDict_SetItem(environ, words[QUERY_STRING], words[EMPTY]);
    return done ? FAILED : TAKEN;
}

/* See what a field says of the framing; whatever is not plain is not taken. */
static int
note(Facts *facts, int kind, const char *start, const char *end)
{
    switch (kind) {
    case HOST_KEY:
        facts->has_host = 1;
        return is_usual_host(start, end);
    case CONNECTION_KEY:
        if (is_word(start, end, "close"))
            facts->keep_alive = 0;
        else if (is_word(start, end, "keep-alive"))
            facts->keep_alive = 1;
        else
            return NOT_TAKEN;
        return TAKEN;
    case LENGTH_KEY:
        if (start == end || end - start > LENGTH_DIGITS)
            return NOT_TAKEN;
        facts->length = 0;
        for (; start < end; start++) {
            if (!IS(*start, DIGIT))
                return NOT_TAKEN;
            facts->length = facts->length * 10 + (*start - '0');
        }
        return TAKEN;
    default:
        return kind != RARE_KEY;
    }
}

/* A line of a head: its name with a hash of it, and its value without the space around it. */
typedef struct {
    const char *name, *name_end, *value, *value_end;
    unsigned hash;
} HeadLine;

/* Take the next line from a place, which moves behind it. */
static inline int
take_line(const char **place, const char *end, HeadLine *line)
{
    const char *at = line->name = *place;
    unsigned hash = 2166136261u; /* FNV-1a */
    while (at < end && IS(*at, TOKEN))
        hash = (hash ^ (unsigned char)*at++) * 16777619u;
    line->name_end = at;
    line->hash = hash;
    if (at == line->name || at - line->name > LONGEST_NAME || at == end || *at != ':')
        return NOT_TAKEN;
    const char *value = ++at, *line_end = memchr(value, '\r', (size_t)(end - value));
    if (!line_end || end - line_end < 4 || line_end[1] != '\n')
        return NOT_TAKEN;
    *place = line_end + 2;
    unsigned char all = TEXT;
    for (const char *c = value; c < line_end; c++)
        all &= classes[(unsigned char)*c];
    if (!all)
        return NOT_TAKEN;
    while (value < line_end && (*value == ' ' || *value == '\t'))
        value++;
    while (line_end > value && (line_end[-1] == ' ' || line_end[-1] == '\t'))
        line_end--;
    line->value = value;
    line->value_end = line_end;
    return TAKEN;
}

/* Fill in the fields up to the empty line, which must end the head. */
static int
take_fields(Tool *self, const char *at, const char *end, PyObject *environ, Facts *facts, Py_ssize_t most)
{
    Py_ssize_t expected = PyDict_Size(environ), seen = 0;
    while (end - at > 2) {
        HeadLine line;
        if (++seen > most || take_line(&at, end, &line) != TAKEN)
            return NOT_TAKEN;
        const char *name = line.name, *value = line.value, *line_end = line.value_end;
        size_t length = (size_t)(line.name_end - name);
        unsigned hash = line.hash;
        int kind;
        PyObject *key = key_of(self, name, length, hash, &kind, kind_of);
        if (!key)
            return FAILED;
        int done = 0;
        if (kind != DROPPED) {
            expected++;
            done = set_text(environ, key, value, line_end);
        }
        Py_DECREF(key);
        if (done)
            return FAILED;
        if (kind != PLAIN && kind != DROPPED && !note(facts, kind, value, line_end))
            return NOT_TAKEN;
    }
    if (end - at != 2 || at[0] != '\r' || at[1] != '\n' || (facts->is_http_1_1 && !facts->has_host))
        return NOT_TAKEN;
    return PyDict_Size(environ) == expected; /* a field that came twice replaced the first */
}

static PyObject *
make_head(Tool *self, PyObject *environ, const Facts *facts)
{
    static const int names[] = {A_METHOD, A_TARGET, AN_ENVIRON, IS_HTTP_1_1, KEEP_ALIVE, ORDINARY, LENGTH};
    int ordinary = facts->keep_alive && facts->is_http_1_1 && !facts->is_head;
    PyObject *length = facts->length < 0 ? NULL : PyLong_FromLongLong(facts->length);
    if (!length && PyErr_Occurred())
        return NULL;
    PyObject *values[] = {facts->method, facts->target, environ, facts->is_http_1_1 ? Py_True : Py_False,
                          facts->keep_alive ? Py_True : Py_False, ordinary ? Py_True : Py_False, length};
    PyObject *head = make(self->made, length ? 7 : 6, names, values);
    Py_XDECREF(length);
    return head;
}

/* reader(head: bytes, base: dict, longest head: int, most fields: int) -> Head or None. */
static PyObject *
Reader_call(Tool *self, PyObject *arguments, PyObject *keywords)
{
    if (keywords || PyTuple_Size(arguments) != 4) {
        PyErr_SetString(PyExc_TypeError, "a head, a base, a size and a number of fields are wanted");
        return NULL;
    }
    PyObject *data = PyTuple_GetItem(arguments, 0), *base = PyTuple_GetItem(arguments, 1);
    char *start;
    Py_ssize_t size, longest = PyLong_AsSsize_t(PyTuple_GetItem(arguments, 2));
    Py_ssize_t most = PyLong_AsSsize_t(PyTuple_GetItem(arguments, 3));
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(data, &start, &size))
        return NULL;
    if (size > longest || !PyDict_CheckExact(base))
        return NONE;
    PyObject *environ = PyDict_Copy(base);
    if (!environ)
        return NULL;
    Facts facts = {.length = -1};
    const char *at = start, *end = start + size;
    int taken = take_request_line(&at, end, environ, &facts);
    if (taken == TAKEN)
        taken = take_fields(self, at, end, environ, &facts, most);
    PyObject *found = NULL;
    if (taken == TAKEN)
        found = make_head(self, environ, &facts);
    else if (taken == NOT_TAKEN)
        found = NONE;
    Py_DECREF(environ);
    return found;
}

/* Append a text of Latin-1 without controls but HTAB; the place behind it, NULL if it is not one or has no room. */
static char *
append(char *to, const char *end, PyObject *text)
{
    wchar_t wide[LONGEST_TEXT];
    Py_ssize_t length = PyUnicode_AsWideChar(text, wide, LONGEST_TEXT);
    if (length < 0 || length >= LONGEST_TEXT || length + 4 > end - to)
        return NULL;
    unsigned all = 0, controls = 0;
    for (Py_ssize_t i = 0; i < length; i++) {
        unsigned c = (unsigned)wide[i];
        all |= c;
        controls |= ((c < 32) & (c != '\t')) | (c == 127);
        to[i] = (char)c;
    }
    return all > 255 || controls ? NULL : to + length;
}

/* Append the line of a field; the place behind it, NULL if it is not plain (perhaps with an exception). */
static char *
append_field(Tool *self, char *to, const char *end, PyObject *field, long code, long long *length)
{
    if (!PyTuple_CheckExact(field) || PyTuple_Size(field) != 2)
        return NULL;
    PyObject *name = PyTuple_GetItem(field, 0), *value = PyTuple_GetItem(field, 1);
    if (!PyUnicode_CheckExact(name) || !PyUnicode_CheckExact(value))
        return NULL;
    int measures = name == words[CONTENT_LENGTH];
    if (!measures) {
        PyObject *kind = PyDict_GetItemWithError(self->names, name);
        if (kind) {
            if (PyLong_AsLong(kind) > self->last_plain)
                return NULL;
        } else if (PyErr_Occurred() || PyUnicode_Compare(name, words[CONTENT_LENGTH]))
            return NULL;
        else
            measures = 1;
    }
    char *start = to;
    if (!(to = append(to, end, name)))
        return NULL;
    *to++ = ':';
    *to++ = ' ';
    char *said = to;
    if (!(to = append(to, end, value)))
        return NULL;
    if (measures) {
        if (*length >= 0 || code == 204 || to == said || to - said > ANSWER_LENGTH_DIGITS) /* RFC 9110 section 8.6 */
            return NULL;
        *length = 0;
        for (; said < to; said++) {
            if (!IS(*said, DIGIT))
                return NULL;
            *length = *length * 10 + (*said - '0');
        }
    } else if (self->line_limit > 0 && to - start > self->line_limit)
        return NULL;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

static PyObject *
make_prepared(Tool *self, PyObject *code, PyObject *line, long long length)
{
    static const int names[] = {CODE, LINES, LENGTH, OWN};
    PyObject *lines = PyList_New(0), *number = length < 0 ? NONE : PyLong_FromLongLong(length), *found = NULL;
    if (lines && number && !PyList_Append(lines, line)) {
        PyObject *values[] = {code, lines, number, zero};
        found = make(self->made, 4, names, values);
    }
    Py_XDECREF(lines);
    Py_XDECREF(number);
    return found;
}

/* writer(status, headers) -> Prepared or None. */
static PyObject *
Writer_call(Tool *self, PyObject *arguments, PyObject *keywords)
{
    if (keywords || PyTuple_Size(arguments) != 2) {
        PyErr_SetString(PyExc_TypeError, "a status and a list of fields are wanted");
        return NULL;
    }
    PyObject *status = PyTuple_GetItem(arguments, 0), *fields = PyTuple_GetItem(arguments, 1);
    if (!self->statuses || !PyUnicode_CheckExact(status) || !PyList_CheckExact(fields))
        return NONE;
    PyObject *known = PyDict_GetItemWithError(self->statuses, status);
    if (!known)
        return PyErr_Occurred() ? NULL : NONE;
    PyObject *code = PyTuple_GetItem(known, 0), *line = PyTuple_GetItem(known, 1);
    char *text, buffer[LONGEST_ANSWER], *to = buffer;
    Py_ssize_t size;
    if (!code || !line || PyBytes_AsStringAndSize(line, &text, &size))
        return NULL;
    long number = PyLong_AsLong(code);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    if (size > LONGEST_ANSWER / 2)
        return NONE;
    memcpy(buffer, text, (size_t)size);
    to += size;
    long long length = -1;
    for (Py_ssize_t i = 0, count = PyList_Size(fields); i < count; i++) {
        to = append_field(self, to, buffer + LONGEST_ANSWER, PyList_GetItem(fields, i), number, &length);
        if (!to)
            return PyErr_Occurred() ? NULL : NONE;
    }
    Py_INCREF(code); /* the table may be emptied while a collection runs Python */
    PyObject *head = PyBytes_FromStringAndSize(buffer, to - buffer);
    PyObject *found = head ? make_prepared(self, code, head, length) : NULL;
    Py_XDECREF(head);
    Py_DECREF(code);
    return found;
}

/* Reader(Head, Keys.of); Writer(Prepared, kinds, statuses, last plain kind, line limit). */
static PyObject *
Tool_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *made, *names, *statuses = NULL;
    long last_plain = 0;
    Py_ssize_t line_limit = 0;
    if (!PyArg_ParseTuple(arguments, "O!O|Oln", &PyType_Type, &made, &names, &statuses, &last_plain, &line_limit))
        return NULL;
    Tool *self = NULL;
    if (PyType_GetFlags((PyTypeObject *)made) & Py_TPFLAGS_HEAPTYPE)
        self = (Tool *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* all zeros */
    else
        PyErr_SetString(PyExc_TypeError, "a class written in Python is wanted");
    if (!self)
        return NULL;
    Py_INCREF(made);
    Py_INCREF(names);
    Py_XINCREF(statuses);
    self->made = (PyTypeObject *)made;
    self->names = names;
    self->statuses = statuses;
    self->last_plain = last_plain;
    self->line_limit = line_limit;
    return (PyObject *)self;
}

static void
Tool_dealloc(Tool *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->made);
    Py_XDECREF(self->names);
    Py_XDECREF(self->statuses);
    for (int i = 0; i < SETS; i++)
        for (int way = 0; way < 2; way++)
            Py_XDECREF(self->known[i][way].key);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type); /* an instance of a type that is not static holds it */
}

static PyType_Slot reader_slots[] = {
    {Py_tp_call, Reader_call}, {Py_tp_new, Tool_new}, {Py_tp_dealloc, Tool_dealloc}, {0, NULL}
};
static PyType_Spec reader_spec = {"wsgigroups._accelerator.Reader", sizeof(Tool), 0, Py_TPFLAGS_DEFAULT, reader_slots};
static PyType_Slot writer_slots[] = {
    {Py_tp_call, Writer_call}, {Py_tp_new, Tool_new}, {Py_tp_dealloc, Tool_dealloc}, {0, NULL}
};
static PyType_Spec writer_spec = {"wsgigroups._accelerator.Writer", sizeof(Tool), 0, Py_TPFLAGS_DEFAULT, writer_slots};

#include "_accelerator_link.h"
#include "_accelerator_gateway.h"

static int
fill_module(PyObject *module)
{
    fill_classes();
    if (!no_arguments && !(no_arguments = PyTuple_New(0)))
        return -1;
    if (!zero && !(zero = PyLong_FromLong(0)))
        return -1;
    for (int i = 0; i < WORDS; i++)
        if (!words[i] && !(words[i] = PyUnicode_InternFromString(spelled[i])))
            return -1;
    PyObject *reader = PyType_FromSpec(&reader_spec), *writer = PyType_FromSpec(&writer_spec);
    int failed = !reader || !writer || PyObject_SetAttrString(module, "Reader", reader)
        || PyObject_SetAttrString(module, "Writer", writer);
    Py_XDECREF(reader);
    Py_XDECREF(writer);
    return failed || fill_link(module) ? -1 : fill_gateway(module);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_accelerator", .m_methods = methods,
                             .m_slots = module_slots};

PyMODINIT_FUNC
PyInit__accelerator(void)
{
    return PyModuleDef_Init(&module);
}
