/* What the way between a gateway and its daemons has of the accelerator; a part of _accelerator.c, by the same rules.
 *
 * pack: an environ to a packet of the uwsgi protocol. PacketReader: such a packet to a Head. AnswerReader: the head of a
 * daemon's answer to an Answer. All return None for what they do not take. arrive: a connection of a gateway's.
 */

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKET_HEADER = 4, MOST_PACKED = 65535 };

enum {
    URL_SCHEME, SCHEME, HTTP, HTTPS, STATUS, REASON, FIELDS, HOP_BY_HOP, CHUNKED, CLOSES, END, ANSWER_LENGTH,
    REFUSED, LINK_WORDS
};
static PyObject *link_words[LINK_WORDS];
static const char *const link_spelled[LINK_WORDS] = {
    "wsgi.url_scheme", "REQUEST_SCHEME", "http", "https",
    "status", "reason", "fields", "hop_by_hop", "chunked", "closes", "end", "length",
    "refused"
};

/* pack(environ, encoded, parts) -> bytes or None.
 *
 * parts: bytes are copied, a str is a value of Latin-1 that gets its size in front; encoded: key of the environ -> what
 * stands in front of its value, b"" for what is left out. A key that is not there is not taken, nor is what is no text
 * of Latin-1, or more than a packet holds. */

/* The GIL guards it: nothing that is called while it is filled runs Python. */
static char packed[PACKET_HEADER + MOST_PACKED];

static char *
append_bytes(char *to, PyObject *bytes)
{
    char *start;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes, &start, &size) || size > packed + sizeof packed - to)
        return NULL;
    memcpy(to, start, (size_t)size);
    return to + size;
}

static char *
append_value(char *to, PyObject *value)
{
    if (!PyUnicode_CheckExact(value))
        return NULL;
    PyObject *bytes = PyUnicode_AsLatin1String(value);
    if (!bytes) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            PyErr_Clear();
        return NULL;
    }
    Py_ssize_t size = PyBytes_Size(bytes);
    if (size > MOST_PACKED || size + 2 > packed + sizeof packed - to)
        to = NULL;
    else {
        *to++ = (char)(size & 255);
        *to++ = (char)(size >> 8);
        to = append_bytes(to, bytes);
    }
    Py_DECREF(bytes);
    return to;
}

static PyObject *
pack(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *environ, *encoded, *parts, *key, *value;
    if (!PyArg_ParseTuple(arguments, "O!O!O!", &PyDict_Type, &environ, &PyDict_Type, &encoded, &PyTuple_Type, &parts))
        return NULL;
    char *to = packed + PACKET_HEADER;
    for (Py_ssize_t i = 0, count = PyTuple_Size(parts); to && i < count; i++) {
        PyObject *part = PyTuple_GetItem(parts, i);
        to = PyBytes_CheckExact(part) ? append_bytes(to, part) : append_value(to, part);
    }
    Py_ssize_t at = 0;
    while (to && PyDict_Next(environ, &at, &key, &value)) {
        PyObject *front = PyUnicode_CheckExact(key) ? PyDict_GetItemWithError(encoded, key) : NULL;
        if (!front || !PyBytes_CheckExact(front))
            to = NULL;
        else if (PyBytes_Size(front) && (to = append_bytes(to, front)))
            to = append_value(to, value);
    }
    if (!to)
        return PyErr_Occurred() ? NULL : NONE;
    Py_ssize_t size = to - packed - PACKET_HEADER;
    packed[0] = packed[3] = 0;
    packed[1] = (char)(size & 255);
    packed[2] = (char)(size >> 8);
    return PyBytes_FromStringAndSize(packed, to - packed);
}

/* Variables that a base may have as well, or that say what the request is: each has a number of its own, so that one
 * that comes twice is seen. All others are in no base. */
enum {
    OTHER, RARE, V_METHOD, V_TARGET, V_QUERY, V_PROTOCOL, V_PATH, V_SCRIPT, V_TYPE, V_LENGTH, V_SCHEME, V_HTTPS, V_HOST,
    V_FRAMING, V_SERVER_NAME, V_SERVER_PORT, V_SERVER_ADDR, V_REMOTE_ADDR, V_REMOTE_PORT
};
#define BIT(kind) (1u << (kind))
#define NEEDED \
    (BIT(V_METHOD) | BIT(V_TARGET) | BIT(V_QUERY) | BIT(V_PROTOCOL) | BIT(V_PATH) | BIT(V_SCRIPT) | BIT(V_SCHEME) \
     | BIT(V_FRAMING) | BIT(V_HOST))

static int
kind_of_variable(PyObject *key)
{
    static const struct { const char *key; int kind; } known[] = {
        {"", RARE}, {"REQUEST_METHOD", V_METHOD}, {"REQUEST_URI", V_TARGET}, {"QUERY_STRING", V_QUERY},
        {"SERVER_PROTOCOL", V_PROTOCOL}, {"PATH_INFO", V_PATH}, {"SCRIPT_NAME", V_SCRIPT}, {"CONTENT_TYPE", V_TYPE},
        {"CONTENT_LENGTH", V_LENGTH}, {"REQUEST_SCHEME", V_SCHEME}, {"HTTPS", V_HTTPS}, {"HTTP_HOST", V_HOST},
        {"WSGIGROUPS_FRAMING", V_FRAMING}, {"SERVER_NAME", V_SERVER_NAME}, {"SERVER_PORT", V_SERVER_PORT},
        {"SERVER_ADDR", V_SERVER_ADDR}, {"REMOTE_ADDR", V_REMOTE_ADDR}, {"REMOTE_PORT", V_REMOTE_PORT},
        {"HTTP_CONTENT_LENGTH", RARE}, {"HTTP_CONTENT_TYPE", RARE}, {"HTTP_TRANSFER_ENCODING", RARE},
        {"HTTP_CONNECTION", RARE}, {"HTTP_EXPECT", RARE}, {"WSGIGROUPS_BODY", RARE}, {"WSGIGROUPS_CLIENT_FIELDS", RARE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!PyUnicode_CompareWithASCIIString(key, known[i].key))
            return known[i].kind;
    return OTHER;
}

static int
is_text(const char *start, const char *end, const char *text)
{
    return (size_t)(end - start) == strlen(text) && !memcmp(start, text, (size_t)(end - start));
}

static int
all_are(const char *start, const char *end, unsigned char class)
{
    for (; start < end; start++)
        class &= classes[(unsigned char)*start];
    return class != 0;
}

enum { APART = 2 }; /* taken, and not for the environ as it is */

/* See what a variable says. */
static int
note_variable(int kind, const char *start, const char *end, Facts *facts, int *secure, int *empty)
{
    switch (kind) {
    case V_METHOD:
        return start < end && all_are(start, end, TOKEN) && !is_text(start, end, "PRI")
            && !is_text(start, end, "CONNECT");
    case V_TARGET:
        return start < end && *start == '/' && all_are(start, end, TARGET);
    case V_PROTOCOL:
        return is_text(start, end, "HTTP/1.1");
    case V_PATH:
    case V_SCRIPT:
        *empty += start == end;
        return start == end || *start == '/';
    case V_LENGTH:
        return start == end ? APART : note(facts, LENGTH_KEY, start, end) ? TAKEN : NOT_TAKEN;
    case V_TYPE:
        return start == end ? APART : TAKEN;
    case V_SCHEME:
        if (is_text(start, end, "https"))
            *secure = 1;
        else if (!is_text(start, end, "http"))
            return NOT_TAKEN;
        return APART;
    case V_HTTPS:
        *secure = 1;
        return is_text(start, end, "on") ? APART : NOT_TAKEN;
    case V_FRAMING:
        return is_text(start, end, "chunked");
    case V_HOST:
        return is_usual_host(start, end);
    default:
        return TAKEN;
    }
}

static int
has(PyObject *keywords)
{
    if (keywords)
        PyErr_SetString(PyExc_TypeError, "no keywords are taken");
    return keywords != NULL;
}

/* Move over a size and what it measures; 0 if that goes beyond the end. */
static int
measured(const char **at, const char *end, const char **start)
{
    if (end - *at < 2)
        return 0;
    *start = *at + 2;
    *at = *start + ((unsigned char)(*at)[0] | (unsigned char)(*at)[1] << 8);
    return *at <= end;
}

static int
take_variables(Tool *self, const char *at, const char *end, PyObject *environ, Facts *facts, Py_ssize_t most)
{
    unsigned seen = 0;
    int secure = 0, empty = 0;
    while (at < end) {
        const char *name, *value;
        if (!measured(&at, end, &name) || --most < 0)
            return NOT_TAKEN;
        const char *name_end = at;
        if (name_end == name || name_end - name > LONGEST_NAME || !measured(&at, end, &value)
            || !all_are(value, at, TEXT))
            return NOT_TAKEN;
        unsigned hash = 2166136261u; /* FNV-1a */
        for (const char *c = name; c < name_end; c++)
            hash = (hash ^ (unsigned char)*c) * 16777619u;
        int kind;
        PyObject *key = key_of(self, name, (size_t)(name_end - name), hash, &kind, kind_of_variable);
        if (!key)
            return FAILED;
        int taken = TAKEN;
        if (kind == RARE || (kind != OTHER && seen & BIT(kind)))
            taken = NOT_TAKEN;
        else if (kind != OTHER) {
            seen |= BIT(kind);
            taken = note_variable(kind, value, at, facts, &secure, &empty);
        }
        if (taken == TAKEN) {
            Py_ssize_t before = PyDict_Size(environ);
            if (set_text(environ, key, value, at))
                taken = FAILED;
            else if (kind == OTHER && PyDict_Size(environ) == before) /* it came twice, or replaced what was there */
                taken = NOT_TAKEN;
        }
        Py_DECREF(key);
        if (taken == NOT_TAKEN || taken == FAILED)
            return taken;
    }
    if ((seen & NEEDED) != NEEDED || empty == 2)
        return NOT_TAKEN;
    PyObject *scheme = link_words[secure ? HTTPS : HTTP];
    if (PyDict_SetItem(environ, link_words[URL_SCHEME], scheme) || PyDict_SetItem(environ, link_words[SCHEME], scheme))
        return FAILED;
    facts->method = PyDict_GetItemWithError(environ, words[REQUEST_METHOD]);
    facts->target = PyDict_GetItemWithError(environ, words[REQUEST_URI]);
    return facts->method && facts->target ? TAKEN : FAILED;
}

/* reader(packet of a trusted gateway: bytes, base: dict, longest packet: int, most variables: int) -> Head or None. */
static PyObject *
PacketReader_call(Tool *self, PyObject *arguments, PyObject *keywords)
{
    PyObject *base;
    const char *start;
    Py_ssize_t size, longest, most;
    if (has(keywords) || !PyArg_ParseTuple(arguments, "y#O!nn", &start, &size, &PyDict_Type, &base, &longest, &most))
        return NULL;
    if (size > longest || size <= PACKET_HEADER)
        return NONE;
    PyObject *environ = PyDict_Copy(base), *found = NULL;
    if (!environ)
        return NULL;
    Facts facts = {.length = -1, .is_http_1_1 = 1};
    int taken = take_variables(self, start + PACKET_HEADER, start + size, environ, &facts, most);
    if (taken == TAKEN)
        found = make_head(self, environ, &facts);
    else if (taken == NOT_TAKEN)
        found = NONE;
    Py_DECREF(environ);
    return found;
}

/* What the head of an answer says. */
typedef struct {
    PyObject *fields, *hop_by_hop; /* lists */
    Facts facts;
    int chunked, closes;
} Said;

static int
take_answer_field(Tool *self, const char *name, size_t length, unsigned hash, const char *value, const char *end,
                  Said *said)
{
    int kind, taken = TAKEN;
    PyObject *key = key_of(self, name, length, hash, &kind, kind_of);
    if (!key)
        return FAILED;
    PyObject *list = said->hop_by_hop;
    if (kind == PLAIN)
        list = said->fields;
    else if (kind == LENGTH_KEY)
        taken = said->facts.length < 0 && note(&said->facts, kind, value, end);
    else if (kind == CONNECTION_KEY) {
        taken = !said->closes && is_text(value, end, "close");
        said->closes = 1;
    } else if (kind == RARE_KEY) {
        taken = !said->chunked && is_text(value, end, "chunked");
        said->chunked = 1;
    } else
        taken = NOT_TAKEN;
    if (taken == TAKEN && kind != LENGTH_KEY) {
        PyObject *text = PyUnicode_DecodeLatin1(value, end - value, NULL), *pair = NULL;
        PyObject *said_name = kind == PLAIN ? key : PyUnicode_DecodeLatin1(name, (Py_ssize_t)length, NULL);
        if (text && said_name)
            pair = PyTuple_Pack(2, said_name, text);
        if (!pair || PyList_Append(list, pair))
            taken = FAILED;
        Py_XDECREF(pair);
        Py_XDECREF(text);
        if (kind != PLAIN)
            Py_XDECREF(said_name);
    }
    Py_DECREF(key);
    return taken;
}

/* Take the lines behind the status line, and move *at behind the empty line. */
static int
take_answer_fields(Tool *self, const char **at, const char *end, Said *said, Py_ssize_t line_limit)
{
    const char *place = *at;
    while (end - place > 1 && *place != '\r') {
        const char *name = place;
        unsigned hash = 2166136261u; /* FNV-1a */
        while (place < end && IS(*place, TOKEN))
            hash = (hash ^ (unsigned char)*place++) * 16777619u;
        size_t length = (size_t)(place - name);
        if (!length || length > LONGEST_NAME || place == end || *place != ':')
            return NOT_TAKEN;
        const char *value = ++place, *value_end = memchr(value, '\r', (size_t)(end - value));
        if (!value_end || end - value_end < 2 || value_end[1] != '\n' || (line_limit && value_end - name > line_limit))
            return NOT_TAKEN;
        place = value_end + 2;
        if (!all_are(value, value_end, TEXT))
            return NOT_TAKEN;
        while (value < value_end && (*value == ' ' || *value == '\t'))
            value++;
        while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
            value_end--;
        int taken = take_answer_field(self, name, length, hash, value, value_end, said);
        if (taken != TAKEN)
            return taken;
    }
    if (end - place < 2 || place[0] != '\r' || place[1] != '\n' || (said->chunked && said->facts.length >= 0))
        return NOT_TAKEN;
    *at = place + 2;
    return TAKEN;
}

static PyObject *
make_answer(Tool *self, const Said *said, int status, PyObject *reason, Py_ssize_t end)
{
    static const int names[] = {STATUS, REASON, FIELDS, HOP_BY_HOP, CHUNKED, CLOSES, END, ANSWER_LENGTH,
                                REFUSED};
    PyObject *code = PyLong_FromLong(status), *behind = PyLong_FromSsize_t(end), *found = NULL;
    PyObject *length = said->facts.length < 0 ? NONE : PyLong_FromLongLong(said->facts.length);
    if (code && behind && length) {
        PyObject *values[] = {code, reason, said->fields, said->hop_by_hop, said->chunked ? Py_True : Py_False,
                              said->closes ? Py_True : Py_False, behind, length,
                              Py_False /* that is said in a Connection field, which is not taken */};
        found = ((newfunc)PyType_GetSlot(self->made, Py_tp_new))(self->made, no_arguments, NULL);
        for (int i = 0; found && i < (int)(sizeof names / sizeof *names); i++)
            if (PyObject_SetAttr(found, link_words[names[i]], values[i]))
                Py_CLEAR(found);
    }
    Py_XDECREF(code);
    Py_XDECREF(behind);
    Py_XDECREF(length);
    return found;
}

/* reader(data: bytes, line limit: int, longest head: int) -> Answer or None. */
static PyObject *
AnswerReader_call(Tool *self, PyObject *arguments, PyObject *keywords)
{
    const char *start;
    Py_ssize_t size, line_limit, longest;
    if (has(keywords) || !PyArg_ParseTuple(arguments, "y#nn", &start, &size, &line_limit, &longest))
        return NULL;
    const char *end = start + (size < longest ? size : longest), *at = start + 13; /* HTTP/1.1 200 */
    if (end - start < 16 || memcmp(start, "HTTP/1.1 ", 9) || start[9] < '1' || !IS(start[9], DIGIT)
        || !IS(start[10], DIGIT) || !IS(start[11], DIGIT) || start[12] != ' ')
        return NONE;
    const char *reason_end = memchr(at, '\r', (size_t)(end - at));
    if (!reason_end || end - reason_end < 2 || reason_end[1] != '\n' || (line_limit && reason_end - start > line_limit)
        || !all_are(at, reason_end, TEXT))
        return NONE;
    PyObject *reason = PyUnicode_DecodeLatin1(at, reason_end - at, NULL), *found = NULL;
    Said said = {PyList_New(0), PyList_New(0), {.length = -1}, 0, 0};
    at = reason_end + 2;
    int taken = FAILED;
    if (reason && said.fields && said.hop_by_hop)
        taken = take_answer_fields(self, &at, end, &said, line_limit);
    if (taken == TAKEN) {
        int status = (start[9] - '0') * 100 + (start[10] - '0') * 10 + start[11] - '0';
        found = make_answer(self, &said, status, reason, at - start);
    } else if (taken == NOT_TAKEN)
        found = NONE;
    Py_XDECREF(reason);
    Py_XDECREF(said.fields);
    Py_XDECREF(said.hop_by_hop);
    return found;
}

#define SLOTS(call) {{Py_tp_call, call}, {Py_tp_new, Tool_new}, {Py_tp_dealloc, Tool_dealloc}, {0, NULL}}
static PyType_Slot packet_slots[] = SLOTS(PacketReader_call), answer_slots[] = SLOTS(AnswerReader_call);
static PyType_Spec link_specs[] = {
    {"wsgigroups._accelerator.PacketReader", sizeof(Tool), 0, Py_TPFLAGS_DEFAULT, packet_slots},
    {"wsgigroups._accelerator.AnswerReader", sizeof(Tool), 0, Py_TPFLAGS_DEFAULT, answer_slots},
};

/* arrive(UNIX socket that listens) -> (connection, user who connected or -1, what he has sent by now). Raises OSError. */
static PyObject *
arrive(PyObject *Py_UNUSED(module), PyObject *argument)
{
    static char sent[16384]; /* connection.RECEIVE_BYTES; the GIL guards it */
    int listener = (int)PyLong_AsLong(argument);
    if (listener == -1 && PyErr_Occurred())
        return NULL;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    struct ucred who;
    socklen_t who_size = sizeof who;
    long uid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_size) ? -1 : (long)who.uid;
    ssize_t size = recv(fd, sent, sizeof sent, MSG_DONTWAIT);
    PyObject *found = Py_BuildValue("(ily#)", fd, uid, sent, (Py_ssize_t)(size < 0 ? 0 : size));
    if (!found)
        close(fd);
    return found;
}

static PyMethodDef methods[] = {
    {"pack", pack, METH_VARARGS, NULL}, {"arrive", arrive, METH_O, NULL}, {NULL, NULL, 0, NULL}
};

static int
fill_link(PyObject *module)
{
    for (int i = 0; i < LINK_WORDS; i++)
        if (!link_words[i] && !(link_words[i] = PyUnicode_InternFromString(link_spelled[i])))
            return -1;
    PyObject *packets = PyType_FromSpec(&link_specs[0]), *answers = PyType_FromSpec(&link_specs[1]);
    int failed = !packets || !answers || PyObject_SetAttrString(module, "PacketReader", packets)
        || PyObject_SetAttrString(module, "AnswerReader", answers);
    Py_XDECREF(packets);
    Py_XDECREF(answers);
    return failed ? -1 : 0;
}
