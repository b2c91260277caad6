"""Asks a sidecar by gRPC, twice: as a client generated from key_provider.proto, and as one that learns it by reflection.

Arguments: the address, the folder of the generated modules, the path of a key to wrap for. Prints one JSON document.
"""

import base64
import json
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

address, generated, key_path = sys.argv[1:]
sys.path.insert(0, generated)
import key_provider_pb2 as messages  # noqa: E402
import key_provider_pb2_grpc as services  # noqa: E402


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def parameters(agent: str) -> dict:
    return {"Parameters": {"attestation-agent": [b64(agent)]}}


def error_of(call, message) -> list:
    try:
        call(message)
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return ["OK", ""]


def by_generated_client(channel) -> dict:
    stub = services.KeyProviderServiceStub(channel)
    envelope = messages.KeyProviderKeyWrapProtocolInput

    def exchange(call, document: dict) -> dict:
        answer = call(envelope(key_provider_key_wrap_protocol_input=json.dumps(document).encode()))
        return json.loads(answer.key_provider_key_wrap_protocol_output)

    wrap = {"op": "keywrap", "keywrapparams": {"ec": parameters(f"skr:{key_path}"), "optsdata": b64("a layer key")}}
    annotation = exchange(stub.WrapKey, wrap)["keywrapresults"]["annotation"]
    unwrap = {"op": "keyunwrap", "keyunwrapparams": {"dc": parameters("skr"), "annotation": annotation}}
    data = stub.GetAttestationData(messages.KeyProviderGetAttestationDataInput(b64_runtime_data_string=b64("data")))
    return {
        "hello": stub.SayHello(messages.HelloRequest(name="Python")).message,
        "report": stub.GetReport(messages.KeyProviderGetReportInput(report_data_hex_string="00")).report_hex_string,
        "endorsedTcb": data.endorsed_tcb,
        "certificates": base64.b64decode(data.certs).decode().count("BEGIN CERTIFICATE"),
        "attested": len(base64.b64decode(data.attestation_report)),
        "endorsement": len(base64.b64decode(data.uvm_reference_info)) > 0,
        "unwrapped": exchange(stub.UnWrapKey, unwrap)["keyunwrapresults"]["optsdata"],
        "illFormed": error_of(stub.WrapKey, envelope(key_provider_key_wrap_protocol_input=b"{")),
        "empty": error_of(stub.UnWrapKey, envelope()),
    }


def by_reflection(channel) -> dict:
    database = ProtoReflectionDescriptorDatabase(channel)
    service = DescriptorPool(database).FindServiceByName("key_provider.KeyProviderService")
    method = service.methods_by_name["SayHello"]
    request, reply = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=reply.FromString,
    )
    return {
        "services": sorted(database.get_services()),
        "methods": sorted(service.methods_by_name),
        "hello": call(request(name="reflection")).message,
    }


with grpc.insecure_channel(address) as channel:
    print(json.dumps({"generated": by_generated_client(channel), "reflected": by_reflection(channel)}))
