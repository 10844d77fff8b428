// Perfetto's trace processor as a pipe: messages of its remote procedure calls from standard input go to the engine of
// its user interface, the answers to standard output. Each is preceded by its length: four bytes, the lowest first.
//
// node trace_processor.js FOLDER, which has engine_bundle.js and trace_processor.wasm
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const read = (name) => fs.readFileSync(path.join(process.argv[2], name));

// How the engine loads its WebAssembly module.
class XMLHttpRequest {
  open(_method, name) {
    this.name = name;
  }

  send() {
    this.response = read(this.name);
  }
}

// What the engine finds in the web worker that it was built for.
const worker = {
  TextDecoder,
  URL,
  WorkerGlobalScope: Object,
  XMLHttpRequest,
  console: { log: console.error, warn: console.error, error: console.error },
  crypto: require("node:crypto").webcrypto,
  location: { href: "file:///" },
  performance,
};
worker.self = worker;
vm.runInContext(read("engine_bundle.js").toString(), vm.createContext(worker));

function write(bytes) {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(1, bytes, at);
}

const port = {
  postMessage(message) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(message.length);
    write(length);
    write(message);
  },
};
worker.onmessage({ data: port });

// After the engine has started.
setImmediate(() => {
  const input = fs.readFileSync(0);
  // The engine expects arrays of its own realm.
  const Bytes = vm.runInContext("Uint8Array", worker);
  for (let at = 0; at < input.length; ) {
    const start = at + 4;
    at = start + input.readUInt32LE(at);
    port.onmessage({ data: Bytes.from(input.subarray(start, at)) });
  }
});
