// Arrays of numbers lie in the page as base64, and become typed arrays when they are first read.

const ARRAY_TYPES = {
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, float32: Float32Array,
};
const decodedArrays = new WeakMap();

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The numbers of an array of the data, flat, in C order. Large ones lie in elements of their own. */
function numbers(array) {
  let values = decodedArrays.get(array);
  if (!values) {
    const text = "at" in array ? document.getElementById(array.at).textContent : array.data;
    const Type = ARRAY_TYPES[array.dtype];
    const bytes = bytesOf(text.trim());
    values = new Type(bytes.buffer, bytes.byteOffset, bytes.byteLength / Type.BYTES_PER_ELEMENT);
    decodedArrays.set(array, values);
  }
  return values;
}

/** Row `row` of an array: a view, not a copy. */
function rowOf(array, row) {
  const length = array.shape.slice(1).reduce((a, b) => a * b, 1);
  return numbers(array).subarray(row * length, (row + 1) * length);
}
