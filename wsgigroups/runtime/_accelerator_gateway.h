/* What a gateway's short way has of the accelerator (gateway/short_way.py); a part of _accelerator.c, by the same rules.
 *
 * Asker: the head of a plain request to a packet, and to a connection to a daemon that has it. Relay: what a daemon
 * answers to what its client gets. Both make no object of what they only pass on, and take nothing that is rare.
 */

#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/un.h>

enum { MOST_FIELDS = 64, LONGEST_PLAIN = 16384 };

/* Asker */

typedef struct {
    Tool tool; /* `names` is called with a name, and says what becomes of such a field: a word of `fates` */
    int epoll;
} Asker;

/* LEFT: to Python, with the whole request. HIDDEN: it must not come twice, and is not passed on. GONE: nobody hears. */
enum { LEFT, PASSED, HIDDEN, GONE, THE_HOST, THE_CONNECTION };

static int
fate_of(PyObject *word)
{
    static const char *const fates[] = {"left", "passed", "hidden", "gone", "host", "connection"};
    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++)
        if (!PyUnicode_CompareWithASCIIString(word, fates[i]))
            return (int)i;
    return LEFT;
}

typedef struct {
    const char *start, *end;
} Text;

typedef struct {
    Text method, target, query, path, host; /* path: decoded, perhaps in `room` */
    int count;                              /* of fields that may not come twice */
    struct {
        int fate;
        Text name, value;
    } fields[MOST_FIELDS];
    char room[LONGEST_PATH];
} Plain;

static int
plain_line(const char **at, const char *end, Plain *plain)
{
    const char *place = *at;
    plain->method.start = place;
    while (place < end && IS(*place, TOKEN))
        place++;
    plain->method.end = place;
    if (place == *at || end - place < 13 || *place != ' ' || is_text(*at, place, "HEAD")
        || is_text(*at, place, "CONNECT") || is_text(*at, place, "PRI"))
        return NOT_TAKEN;
    const char *target = ++place, *query = NULL, *coded = NULL;
    while (place < end && IS(*place, TARGET)) {
        if (*place == '?' && !query)
            query = place;
        else if (*place == '%' && !query)
            coded = place;
        place++;
    }
    if (place == target || *target != '/' || end - place < 11 || memcmp(place, " HTTP/1.1\r\n", 11))
        return NOT_TAKEN;
    plain->target = plain->path = (Text){target, place};
    plain->query = (Text){place, place};
    if (query) {
        plain->path.end = query;
        plain->query.start = query + 1;
    }
    if (coded) {
        Py_ssize_t length = unquote(target, plain->path.end, plain->room);
        if (length < 0)
            return NOT_TAKEN;
        plain->path = (Text){plain->room, plain->room + length};
    }
    *at = place + 11;
    return TAKEN;
}

static int
came_before(const Plain *plain, const char *name, const char *end)
{
    for (int i = 0; i < plain->count; i++) {
        const char *other = plain->fields[i].name.start, *at = name;
        if (plain->fields[i].name.end - other != end - name)
            continue;
        /* What is kept has letters, digits and dashes: a bit apart are only the cases of a letter. */
        while (at < end && (*at | 32) == (*other | 32))
            at++, other++;
        if (at == end)
            return 1;
    }
    return 0;
}

/* Take the fields and the empty line, which must end the data. */
static int
plain_fields(Tool *tool, const char *at, const char *end, Plain *plain, Py_ssize_t most)
{
    while (end - at > 2) {
        HeadLine line;
        if (--most < 0 || take_line(&at, end, &line) != TAKEN)
            return NOT_TAKEN;
        const char *name = line.name, *name_end = line.name_end, *value = line.value, *line_end = line.value_end;
        int fate;
        PyObject *word = key_of(tool, name, (size_t)(name_end - name), line.hash, &fate, fate_of);
        if (!word)
            return FAILED;
        Py_DECREF(word);
        if (fate == GONE)
            continue;
        if (fate == LEFT || plain->count == MOST_FIELDS || came_before(plain, name, name_end))
            return NOT_TAKEN;
        if (fate == THE_HOST)
            plain->host = (Text){value, line_end};
        else if (fate == THE_CONNECTION && !is_word(value, line_end, "keep-alive"))
            return NOT_TAKEN;
        plain->fields[plain->count].fate = fate;
        plain->fields[plain->count].name = (Text){name, name_end};
        plain->fields[plain->count++].value = (Text){value, line_end};
    }
    if (end - at != 2 || at[0] != '\r' || at[1] != '\n' || !plain->host.start
        || !is_usual_host(plain->host.start, plain->host.end))
        return NOT_TAKEN;
    return TAKEN;
}

/* Of the entries of a site, (prefix, ...) with the longest first: which covers the path; NULL: none (no exception). */
static PyObject *
covering(PyObject *entries, Text path)
{
    size_t size = (size_t)(path.end - path.start);
    for (Py_ssize_t i = 0, count = PyTuple_Size(entries); i < count; i++) {
        PyObject *entry = PyTuple_GetItem(entries, i);
        char *prefix;
        Py_ssize_t length;
        if (!entry || PyBytes_AsStringAndSize(PyTuple_GetItem(entry, 0), &prefix, &length))
            return NULL;
        if ((size_t)length <= size && !memcmp(prefix, path.start, (size_t)length)
            && ((size_t)length == size || path.start[length] == '/'))
            return entry;
    }
    return NULL;
}

static char *
append_text(char *to, Text text)
{
    Py_ssize_t size = text.end - text.start;
    if (!to || size > MOST_PACKED || size + 2 > packed + sizeof packed - to)
        return NULL;
    *to++ = (char)(size & 255);
    *to++ = (char)(size >> 8);
    memcpy(to, text.start, (size_t)size);
    return to + size;
}

#define NAMED(name) ((Text){name, name + sizeof name - 1})

static char *
append_variable(char *to, Text name, Text value)
{
    return append_text(append_text(to, name), value);
}

/* Append a field under the key that `names.Keys` has for it. */
static char *
append_passed(char *to, Text name, Text value)
{
    char key[LONGEST_NAME + 5], *end = key + 5;
    memcpy(key, "HTTP_", 5);
    for (const char *c = name.start; c < name.end; c++)
        *end++ = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    return append_variable(to, (Text){key, end}, value);
}

/* Fill `packed`; returns the size of all, 0 if it has no room. */
static size_t
pack_plain(const Plain *plain, PyObject *constant, PyObject *about, Py_ssize_t prefix, Text id, Text arrived)
{
    char *to = append_bytes(packed + PACKET_HEADER, constant);
    if (!to || !(to = append_bytes(to, about)))
        return 0;
    to = append_variable(to, NAMED("REQUEST_METHOD"), plain->method);
    to = append_variable(to, NAMED("REQUEST_URI"), plain->target);
    to = append_variable(to, NAMED("QUERY_STRING"), plain->query);
    to = append_variable(to, NAMED("SERVER_PROTOCOL"), NAMED("HTTP/1.1"));
    to = append_variable(to, NAMED("PATH_INFO"), (Text){plain->path.start + prefix, plain->path.end});
    to = append_variable(to, NAMED("REQUEST_ID"), id);
    to = append_variable(to, NAMED("HTTP_X_REQUEST_ID"), id);
    to = append_variable(to, NAMED("WSGIGROUPS_QUEUE_START"), arrived);
    to = append_variable(to, NAMED("HTTP_HOST"), plain->host);
    to = append_variable(to, NAMED("HTTP_X_FORWARDED_HOST"), plain->host);
    for (int i = 0; to && i < plain->count; i++)
        if (plain->fields[i].fate == PASSED)
            to = append_passed(to, plain->fields[i].name, plain->fields[i].value);
    if (!to)
        return 0;
    size_t size = (size_t)(to - packed);
    packed[0] = packed[3] = 0;
    packed[1] = (char)((size - PACKET_HEADER) & 255);
    packed[2] = (char)((size - PACKET_HEADER) >> 8);
    return size;
}

enum { SO_PASSRIGHTS_ = 83 }; /* <asm-generic/socket.h>, Linux 6.16; before it this way is not taken */

static int
is_one_of(uid_t user, PyObject *uids)
{
    Py_ssize_t count = PyTuple_Size(uids);
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyLong_AsLong(PyTuple_GetItem(uids, i)) == (long)user)
            return 1;
    return !count;
}

/* Connect to who listens at an address, be it one of these users, and send him the packet; -1 if anything of that has
 * to wait or goes wrong. Then nobody has the whole packet: its last bytes are those that were not sent. */
static int
send_packed(const char *address, size_t length, PyObject *uids, size_t size, int epoll)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (length >= sizeof name.sun_path)
        return -1;
    memcpy(name.sun_path, address, length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct ucred who;
    socklen_t who_size = sizeof who;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = (uint64_t)fd};
    int none = 0; /* before it has a peer: a daemon that sends descriptors decides how long their close takes */
    if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS_, &none, sizeof none)
        || connect(fd, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1))
        || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_size) || !is_one_of(who.uid, uids)
        || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)
        || send(fd, packed, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size) {
        close(fd);
        return -1;
    }
    return fd;
}

/* asker(data, about: packed facts of the connection, sites: host -> entries, id and µs of the request, longest head,
 * most fields) -> (descriptor, route), a host of which `sites` knows nothing, or None. An entry is (prefix, constant
 * part of the packet or None, address, uids, route). */
static PyObject *
Asker_call(Asker *self, PyObject *arguments, PyObject *keywords)
{
    PyObject *about, *sites;
    const char *data, *id;
    Py_ssize_t size, id_size, longest, most;
    long long arrived_us;
    if (has(keywords) || !PyArg_ParseTuple(arguments, "y#O!O!s#Lnn", &data, &size, &PyBytes_Type, &about, &PyDict_Type,
                                           &sites, &id, &id_size, &arrived_us, &longest, &most))
        return NULL;
    if (size > longest || size > LONGEST_PLAIN)
        return NONE;
    Plain plain;
    plain.count = 0;
    plain.host.start = NULL;
    const char *at = data, *end = data + size;
    int taken = plain_line(&at, end, &plain);
    if (taken == TAKEN)
        taken = plain_fields(&self->tool, at, end, &plain, most);
    if (taken != TAKEN)
        return taken == FAILED ? NULL : NONE;
    PyObject *host = PyUnicode_DecodeLatin1(plain.host.start, plain.host.end - plain.host.start, NULL);
    if (!host)
        return NULL;
    PyObject *entries = PyDict_GetItemWithError(sites, host);
    if (!entries)
        return PyErr_Occurred() ? (Py_DECREF(host), NULL) : host;
    Py_DECREF(host);
    PyObject *entry = PyTuple_CheckExact(entries) ? covering(entries, plain.path) : NULL, *constant, *uids, *route;
    if (!entry)
        return PyErr_Occurred() ? NULL : NONE;
    const char *prefix, *address;
    Py_ssize_t prefix_size, length;
    if (!PyArg_ParseTuple(entry, "y#Oy#O!O", &prefix, &prefix_size, &constant, &address, &length, &PyTuple_Type, &uids,
                          &route))
        return NULL;
    if (constant == Py_None)
        return NONE;
    char arrived[24];
    int arrived_size = snprintf(arrived, sizeof arrived, "%lld", arrived_us);
    size_t packet = pack_plain(&plain, constant, about, prefix_size, (Text){id, id + id_size},
                               (Text){arrived, arrived + arrived_size});
    int fd = packet ? send_packed(address, (size_t)length, uids, packet, self->epoll) : -1;
    if (fd < 0)
        return PyErr_Occurred() ? NULL : NONE;
    return Py_BuildValue("(iO)", fd, route);
}

/* Asker(fate of a name, descriptor of epoll) */
static PyObject *
Asker_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *names;
    int epoll;
    if (has(keywords) || !PyArg_ParseTuple(arguments, "Oi", &names, &epoll))
        return NULL;
    Asker *self = (Asker *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* all zeros */
    if (!self)
        return NULL;
    Py_INCREF(names);
    self->tool.names = names;
    self->epoll = epoll;
    return (PyObject *)self;
}

/* Relay */

enum { RECEIVED = 73728 /* a head and 64 KiB, which a daemon sends at once */, MOST_HEAD = 32768 };
static char received[RECEIVED], relayed[MOST_HEAD]; /* the GIL guards them, as `packed` */

/* Copy the fields that are for the client to `to`, and move *at behind the empty line; NULL: not taken (perhaps with an
 * exception). */
static char *
relay_fields(Tool *tool, const char **at, const char *end, char *to, Py_ssize_t line_limit, long long *length)
{
    const char *place = *at;
    int closes = 0;
    while (end - place > 1 && *place != '\r') {
        const char *name = place;
        unsigned hash = 2166136261u; /* FNV-1a */
        while (place < end && IS(*place, TOKEN))
            hash = (hash ^ (unsigned char)*place++) * 16777619u;
        const char *name_end = place;
        size_t size = (size_t)(place - name);
        if (!size || size > LONGEST_NAME || place == end || *place != ':')
            return NULL;
        const char *value = ++place, *value_end = memchr(value, '\r', (size_t)(end - value));
        if (!value_end || end - value_end < 2 || value_end[1] != '\n' || (line_limit && value_end - name > line_limit))
            return NULL;
        place = value_end + 2;
        if (!all_are(value, value_end, TEXT))
            return NULL;
        while (value < value_end && (*value == ' ' || *value == '\t'))
            value++;
        while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
            value_end--;
        int kind;
        PyObject *key = key_of(tool, name, size, hash, &kind, kind_of);
        if (!key)
            return NULL;
        Py_DECREF(key);
        if (kind == PLAIN) {
            size_t value_size = (size_t)(value_end - value);
            if (size + value_size + 4 > (size_t)(relayed + MOST_HEAD - to))
                return NULL;
            memcpy(to, name, size);
            to += name_end - name;
            *to++ = ':';
            *to++ = ' ';
            memcpy(to, value, value_size);
            to += value_size;
            *to++ = '\r';
            *to++ = '\n';
        } else if (kind == LENGTH_KEY) {
            Facts facts = {.length = -1};
            if (*length >= 0 || !note(&facts, kind, value, value_end))
                return NULL;
            *length = facts.length;
        } else if (kind != CONNECTION_KEY || closes++ || !is_text(value, value_end, "close"))
            return NULL;
    }
    if (end - place < 2 || place[0] != '\r' || place[1] != '\n' || *length < 0)
        return NULL;
    *at = place + 2;
    return to;
}

/* relay(descriptor, line limit, lines of the site's own: bytes) -> (status, length of the body, bytes of it that are
 * there, bytes for the client), the bytes that came as they are, or None if nothing came. Raises OSError. */
static PyObject *
Relay_call(Tool *self, PyObject *arguments, PyObject *keywords)
{
    const char *own;
    Py_ssize_t line_limit, own_size;
    int fd;
    if (has(keywords) || !PyArg_ParseTuple(arguments, "iny#", &fd, &line_limit, &own, &own_size))
        return NULL;
    ssize_t size = recv(fd, received, RECEIVED, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? NONE : PyErr_SetFromErrno(PyExc_OSError);
    const char *start = received, *end = received + size, *at = start + 13; /* HTTP/1.1 200 */
    char *to = NULL;
    long long length = -1;
    int status = 0;
    if (size > 16 && !memcmp(start, "HTTP/1.1 ", 9) && start[9] > '1' && IS(start[9], DIGIT) && IS(start[10], DIGIT)
        && IS(start[11], DIGIT) && start[12] == ' ') {
        status = (start[9] - '0') * 100 + (start[10] - '0') * 10 + start[11] - '0';
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        if (status != 204 && status != 304 && line_end && end - line_end > 1 && line_end[1] == '\n'
            && !(line_limit && line_end - start > line_limit) && all_are(at, line_end, TEXT)
            && line_end + 2 - start < MOST_HEAD) {
            at = line_end + 2;
            memcpy(relayed, start, (size_t)(at - start));
            to = relay_fields(self, &at, end, relayed + (at - start), line_limit, &length);
            if (PyErr_Occurred())
                return NULL;
        }
    }
    if (!to || end - at > length || own_size + 48 > relayed + MOST_HEAD - to)
        return PyBytes_FromStringAndSize(received, size);
    memcpy(to, own, (size_t)own_size);
    to += own_size;
    to += snprintf(to, 48, "Content-Length: %lld\r\n\r\n", length);
    PyObject *whole = PyBytes_FromStringAndSize(NULL, (to - relayed) + (end - at));
    if (!whole)
        return NULL;
    char *into = PyBytes_AsString(whole);
    memcpy(into, relayed, (size_t)(to - relayed));
    memcpy(into + (to - relayed), at, (size_t)(end - at));
    return Py_BuildValue("(iLnN)", status, length, (Py_ssize_t)(end - at), whole);
}

static PyType_Slot asker_slots[] = {
    {Py_tp_call, Asker_call}, {Py_tp_new, Asker_new}, {Py_tp_dealloc, Tool_dealloc}, {0, NULL}
};
static PyType_Slot relay_slots[] = SLOTS(Relay_call);
static PyType_Spec gateway_specs[] = {
    {"wsgigroups._accelerator.Asker", sizeof(Asker), 0, Py_TPFLAGS_DEFAULT, asker_slots},
    {"wsgigroups._accelerator.Relay", sizeof(Tool), 0, Py_TPFLAGS_DEFAULT, relay_slots},
};

static int
fill_gateway(PyObject *module)
{
    PyObject *asker = PyType_FromSpec(&gateway_specs[0]), *relay = PyType_FromSpec(&gateway_specs[1]);
    int failed = !asker || !relay || PyObject_SetAttrString(module, "Asker", asker)
        || PyObject_SetAttrString(module, "Relay", relay);
    Py_XDECREF(asker);
    Py_XDECREF(relay);
    return failed ? -1 : 0;
}
