/* Admits inferences of the v2 protocol only if their shapes agree with their data.
 *
 * Triton 2.51 allocates what a shape claims and parses JSON of any depth, and dies of both. A request reaches it only if
 * - its JSON is shallow (JSON.parse of njs takes 31 levels), has no repeated keys, and only the keys listed here;
 * - each tensor has exactly as many elements, and bytes, as its shape and datatype require;
 * - the sizes of the binary tensors add up to the rest of the body.
 * Names and types of a model's tensors are left to Triton, so models need no entry here.
 */

const JSON_BYTES = 99999;
const TENSORS = 64;
const DIMENSIONS = 8;
const ELEMENTS = 12 * 1024 * 1024;  // each takes at least one byte of a request of at most 12 MiB
const STRINGS = 4096;  // elements of a binary BYTES tensor
const CLASSES = 1000;
const TEXT = /^[^\x00-\x1f\x7f]{1,256}$/;
const ITEM_BYTES = {
    BOOL: 1, UINT8: 1, UINT16: 2, UINT32: 4, UINT64: 8, INT8: 1, INT16: 2, INT32: 4, INT64: 8,
    FP16: 2, BF16: 2, FP32: 4, FP64: 8, BYTES: 0,
};

function Malformed(expected) {
    this.expected = expected;
}

/* The content handler of inferences. */
function admit(r) {
    try {
        check(r.requestBuffer, r.variables.json_length);
    } catch (e) {
        const expected = e instanceof Malformed ? e.expected : 'expected an inference request';
        r.headersOut['Content-Type'] = 'application/json';
        r.return(400, JSON.stringify({error: 'malformed: ' + expected}));
        return;
    }
    r.internalRedirect('@triton');
}

/* Check a body whose JSON has `declared` bytes; all of it is JSON if this is empty. */
function check(body, declared) {
    need(body, 'a body');
    const length = declared === '' ? body.length : Number(declared);
    need(length <= body.length, 'Inference-Header-Content-Length within the body');
    need(length <= JSON_BYTES, `at most ${JSON_BYTES} bytes of JSON`);
    const text = body.slice(0, length).toString();
    const keys = {count: 0};
    const request = members(parsed(text), 'the request', ['id', 'parameters', 'inputs', 'outputs'], keys);
    const id = optional(request.id, '');
    need(id === '' || isText(id), 'id to be a string of up to 256 characters');
    checkParameters(optional(request.parameters, {}), keys);
    const end = list(request.inputs, 'inputs').reduce(
        (offset, input, i) => checkInput(input, `inputs[${i}]`, body, offset, keys), length);
    need(end === body.length, 'binary_data_size of all inputs to add up to the bytes after the JSON');
    list(optional(request.outputs, []), 'outputs').forEach((output, i) => checkOutput(output, `outputs[${i}]`, keys));
    need(keys.count === colonsOutsideStrings(text), 'no repeated keys');
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch (e) {
        throw new Malformed('expected JSON of at most 31 levels');
    }
}

/* A JSON parser keeps one of several members with the same key, but all of them have a colon.
 *
 * In linear time: njs takes seconds to replace the escapes of a long string by a regular expression.
 */
function colonsOutsideStrings(text) {
    let count = 0, inString = false;
    text.split('"').forEach(part => {
        count += inString ? 0 : part.split(':').length - 1;
        // An escaped quote does not end the string.
        inString = !inString || backslashesAtEnd(part) % 2 === 1;
    });
    return count;
}

function backslashesAtEnd(text) {
    let end = text.length;
    while (end > 0 && text[end - 1] === '\\') {
        end--;
    }
    return text.length - end;
}

/* Return an object that has no other keys than these. */
function members(value, where, names, keys) {
    need(isObject(value), `${where} to be an object`);
    const own = Object.keys(value);
    need(own.every(key => names.includes(key)), `only ${names.join(', ')} in ${where}`);
    keys.count += own.length;
    return value;
}

function list(value, where) {
    need(Array.isArray(value) && value.length <= TENSORS, `${where} to be an array of at most ${TENSORS} objects`);
    return value;
}

function checkParameters(value, keys) {
    need(isObject(value), 'parameters to be an object');
    const names = Object.keys(value);
    need(names.length <= TENSORS && names.every(name => isText(name) && isScalar(value[name])),
        'parameters to be strings of up to 256 characters, numbers or booleans');
    keys.count += names.length;
}

/* Check an input and return the offset behind its binary data, which begins at `offset`. */
function checkInput(value, where, body, offset, keys) {
    const input = members(value, where, ['name', 'shape', 'datatype', 'parameters', 'data'], keys);
    need(isText(input.name), `${where}.name of 1 to 256 characters`);
    need(typeof input.datatype === 'string' && ITEM_BYTES.hasOwnProperty(input.datatype), `a v2 datatype of ${where}`);
    const count = elementCount(input.shape, where);
    const parameters = members(optional(input.parameters, {}), `${where}.parameters`, ['binary_data_size'], keys);
    const size = parameters.binary_data_size;
    if (size === undefined) {
        const isElement = elementCheck(input.datatype);
        need(Array.isArray(input.data) && countedElements(input.data, isElement) === count,
            `${where}.data to have as many elements as its shape, of its datatype`);
        return offset;
    }
    need(input.data === undefined, `${where} to have either data or binary_data_size`);
    need(isCount(size) && offset + size <= body.length, `binary_data_size of ${where} within the body`);
    const exact = input.datatype === 'BYTES'
        ? hasStrings(body, offset, offset + size, count) : size === count * ITEM_BYTES[input.datatype];
    need(exact, `the binary data of ${where} to have the size that its shape and datatype require`);
    return offset + size;
}

/* Return the number of elements of a shape. Not even without its zeros may it overflow. */
function elementCount(shape, where) {
    need(Array.isArray(shape) && shape.length >= 1 && shape.length <= DIMENSIONS && shape.every(isCount)
        && shape.reduce((product, size) => product * Math.max(size, 1), 1) <= ELEMENTS,
        `${where}.shape to have 1 to ${DIMENSIONS} dimensions and at most ${ELEMENTS} elements`);
    return shape.reduce((product, size) => product * size, 1);
}

function elementCheck(datatype) {
    switch (datatype) {
    case 'BYTES': return value => typeof value === 'string';
    case 'BOOL': return value => typeof value === 'boolean';
    case 'FP16': case 'BF16': case 'FP32': case 'FP64': return isNumber;
    default: return value => isNumber(value) && value === Math.floor(value);
    }
}

/* Count the elements of an array, which may be nested; NaN if one fails the check. */
function countedElements(values, isElement) {
    return values.reduce((count, value) => {
        if (Array.isArray(value)) {
            return count + countedElements(value, isElement);
        }
        return isElement(value) ? count + 1 : NaN;
    }, 0);
}

/* Return whether these bytes are `count` strings, each behind its length in four bytes. */
function hasStrings(body, begin, end, count) {
    if (count > STRINGS) {
        return false;
    }
    for (let i = 0; i < count; i++) {
        if (begin + 4 > end) {
            return false;
        }
        begin += 4 + body.readUInt32LE(begin);
    }
    return begin === end;
}

function checkOutput(value, where, keys) {
    const output = members(value, where, ['name', 'parameters'], keys);
    need(isText(output.name), `${where}.name of 1 to 256 characters`);
    const parameters = members(
        optional(output.parameters, {}), `${where}.parameters`, ['binary_data', 'classification'], keys);
    need(['undefined', 'boolean'].includes(typeof parameters.binary_data), `${where} to have a boolean binary_data`);
    const classes = parameters.classification;
    need(classes === undefined || (isCount(classes) && classes <= CLASSES), `${where} to have at most ${CLASSES} classes`);
}

function need(condition, expected) {
    if (!condition) {
        throw new Malformed('expected ' + expected);
    }
}

function optional(value, absent) {
    return value === undefined ? absent : value;
}

function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value) {
    return typeof value === 'string' && TEXT.test(value);
}

function isNumber(value) {
    return typeof value === 'number' && isFinite(value);
}

function isCount(value) {
    return isNumber(value) && value >= 0 && value <= ELEMENTS && value === Math.floor(value);
}

function isScalar(value) {
    return isNumber(value) || typeof value === 'boolean' || value === '' || isText(value);
}

export default {admit};
