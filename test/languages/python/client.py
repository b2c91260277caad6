"""Drives a vault and a managed HSM with the official Python client, unchanged, and prints one line of JSON per case."""

import base64
import datetime
import hashlib
import json
import os
import sys
import traceback

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import CertificateCredential, DefaultAzureCredential, WorkloadIdentityCredential
from azure.keyvault.keys import (
    ApiVersion,
    JsonWebKey,
    KeyClient,
    KeyReleasePolicy,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
)
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.keys.crypto import CryptographyClient
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def refused(expected, action):
    """Runs what the service has to refuse; gives the error."""
    try:
        action()
    except expected as error:
        return error
    raise AssertionError(f"{expected.__name__} was not raised")


class Suite:
    def __init__(self, url, hsm, credential, application, fixture):
        self.url, self.hsm, self.credential = url, hsm, credential
        self.application, self.fixture = application, fixture
        self.client = KeyClient(url, credential)

    def crypto(self, key):
        return CryptographyClient(key, self.credential)

    def create_and_get(self):
        made = self.client.create_rsa_key("rsa", size=2048, tags={"a": "b"})
        check(made.id.startswith(f"{self.url}/keys/rsa/"), made.id)
        check(self.client.get_key("rsa").key.n == made.key.n, "the latest version has another modulus")
        read = self.client.get_key("rsa", made.properties.version)
        check(read.properties.tags == {"a": "b"}, read.properties.tags)
        for curve in ("P-256", "P-384", "P-521", "P-256K"):
            made = self.client.create_ec_key(f"ec-{curve}", curve=curve)
            check(made.key.crv == curve, made.key.crv)

    def list_in_two_pages(self):
        for index in range(26):
            self.client.create_ec_key(f"page-{index}")
        pages = [list(page) for page in self.client.list_properties_of_keys().by_page()]
        check(len(pages) == 2 and len(pages[0]) == 25, [len(page) for page in pages])
        names = {key.name for page in pages for key in page}
        check({f"page-{index}" for index in range(26)} <= names, names)
        few = [list(page) for page in self.client.list_properties_of_keys(max_page_size=20).by_page()]
        check(len(few[0]) == 20, len(few[0]))

    def versions(self):
        made = {self.client.create_ec_key("versions").properties.version for _ in range(3)}
        listed = {key.version for key in self.client.list_properties_of_key_versions("versions")}
        check(made == listed, f"{made} {listed}")

    def update(self):
        made = self.client.create_ec_key("update")
        later = datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)
        changed = self.client.update_key_properties("update", enabled=False, expires_on=later, tags={"c": "d"})
        check(changed.properties.enabled is False and changed.properties.expires_on == later, changed.properties)
        read = self.client.get_key("update", made.properties.version)
        check(read.properties.tags == {"c": "d"} and read.properties.enabled is False, read.properties)

    def delete_recover_and_purge(self):
        self.client.create_ec_key("gone")
        deleted = self.client.begin_delete_key("gone").result()
        check(deleted.recovery_id == f"{self.url}/deletedkeys/gone", deleted.recovery_id)
        refused(ResourceNotFoundError, lambda: self.client.get_key("gone"))
        refused(ResourceExistsError, lambda: self.client.create_ec_key("gone"))
        check("gone" in {key.name for key in self.client.list_deleted_keys()}, "not among the deleted")
        check(self.client.begin_recover_deleted_key("gone").result().name == "gone", "not recovered")
        self.client.begin_delete_key("gone").wait()
        self.client.purge_deleted_key("gone")
        refused(ResourceNotFoundError, lambda: self.client.get_deleted_key("gone"))

    def encrypt_and_decrypt(self):
        crypto = self.crypto(self.client.create_rsa_key("encrypt", size=2048))
        for algorithm in (EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa_oaep_256, EncryptionAlgorithm.rsa1_5):
            sent = crypto.encrypt(algorithm, b"plaintext")
            check(crypto.decrypt(algorithm, sent.ciphertext).plaintext == b"plaintext", algorithm)

    def sign_and_verify(self):
        rsa_key = self.client.create_rsa_key("sign", size=2048)
        digests = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
        for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
            self.signs(rsa_key, algorithm, digests[algorithm[2:]])
        for algorithm, curve in (("ES256", "P-256"), ("ES384", "P-384"), ("ES512", "P-521"), ("ES256K", "P-256K")):
            key = self.client.create_ec_key(f"sign-{algorithm}", curve=curve)
            self.signs(key, algorithm, digests.get(algorithm[2:], hashlib.sha256))

    def signs(self, key, algorithm, digest):
        value = digest(b"message").digest()
        crypto = self.crypto(key)
        signature = crypto.sign(SignatureAlgorithm(algorithm), value).signature
        check(crypto.verify(SignatureAlgorithm(algorithm), value, signature).is_valid, f"{algorithm} does not verify")
        other = digest(b"another").digest()
        check(not crypto.verify(SignatureAlgorithm(algorithm), other, signature).is_valid, f"{algorithm} verifies all")

    def wrap_and_unwrap(self):
        crypto = self.crypto(self.client.create_rsa_key("wrap", size=2048))
        for algorithm in (KeyWrapAlgorithm.rsa_oaep, KeyWrapAlgorithm.rsa_oaep_256, KeyWrapAlgorithm.rsa1_5):
            wrapped = crypto.wrap_key(algorithm, bytes(range(32)))
            check(crypto.unwrap_key(algorithm, wrapped.encrypted_key).key == bytes(range(32)), algorithm)

    def import_(self):
        own = rsa.generate_private_key(65537, 2048)
        numbers, public = own.private_numbers(), own.public_key().public_numbers()
        octets = lambda number: number.to_bytes((number.bit_length() + 7) // 8, "big")
        jwk = JsonWebKey(
            kty="RSA-HSM" if self.hsm else "RSA",
            key_ops=["encrypt", "decrypt", "sign", "verify"],
            n=octets(public.n),
            e=octets(public.e),
            d=octets(numbers.d),
            p=octets(numbers.p),
            q=octets(numbers.q),
            dp=octets(numbers.dmp1),
            dq=octets(numbers.dmq1),
            qi=octets(numbers.iqmp),
        )
        key = self.client.import_key("imported", jwk)
        check(key.key.n == octets(public.n), "another modulus")
        sent = own.public_key().encrypt(b"mine", padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
        check(self.crypto(key).decrypt(EncryptionAlgorithm.rsa_oaep, sent).plaintext == b"mine", "not the same key")

    def backup_and_restore(self):
        made = self.client.create_ec_key("backup", tags={"kept": "yes"})
        backup = self.client.backup_key("backup")
        refused(ResourceExistsError, lambda: self.client.restore_key_backup(backup))
        self.client.begin_delete_key("backup").wait()
        self.client.purge_deleted_key("backup")
        restored = self.client.restore_key_backup(backup)
        check(restored.id == made.id and restored.key.x == made.key.x, restored.id)
        check(restored.properties.created_on == made.properties.created_on, "created at another time")
        check(restored.properties.tags == {"kept": "yes"}, restored.properties.tags)

    def rotate_and_rotation_policy(self):
        made = self.client.create_rsa_key("rotate", size=2048)
        action = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P2M")
        written = self.client.update_key_rotation_policy(
            "rotate", KeyRotationPolicy(), lifetime_actions=[action], expires_in="P3M"
        )
        read = self.client.get_key_rotation_policy("rotate")
        check(written.expires_in == read.expires_in == "P3M", read.expires_in)
        # A managed HSM writes the action in lower case.
        rotations = [one for one in read.lifetime_actions if one.action.lower() == "rotate"]
        check([one.time_after_create for one in rotations] == ["P2M"], read.lifetime_actions)
        rotated = self.client.rotate_key("rotate")
        check(rotated.properties.version != made.properties.version and rotated.key.n != made.key.n, "the same key")

    def refusals(self):
        missing = refused(ResourceNotFoundError, lambda: self.client.get_key("nobody-made-this"))
        check(missing.error.code == "KeyNotFound", missing.error.code)
        bad = refused(HttpResponseError, lambda: self.client.create_rsa_key("bad", size=1000))
        check(bad.status_code == 400 and bad.error.code == "BadParameter", bad)
        key = self.client.create_rsa_key("only-signs", size=2048, key_operations=["sign", "verify"])
        denied = refused(HttpResponseError, lambda: self.decrypts_remotely(key))
        check(denied.status_code in (400, 403), denied)
        old = KeyClient(self.url, self.credential, api_version=ApiVersion.V7_4)
        check(old.get_key("only-signs").id == key.id, "another key under an older version")

    def decrypts_remotely(self, key):
        self.crypto(key.id).decrypt(EncryptionAlgorithm.rsa_oaep, bytes(256))

    def certificate_credential(self):
        tenant, client = self.application["tenantId"], self.application["clientId"]
        self.reads_with(CertificateCredential(tenant, client, self.application["certificateFile"]))

    def workload_identity(self):
        self.reads_with(
            WorkloadIdentityCredential(
                tenant_id=self.application["tenantId"],
                client_id=self.application["clientId"],
                token_file_path=self.application["tokenFile"],
            )
        )

    def reads_with(self, credential):
        self.client.create_ec_key("read-by-another")
        check(KeyClient(self.url, credential).get_key("read-by-another").name == "read-by-another", "another key")

    def releasable(self, name, policy):
        return self.client.create_ec_key(
            name,
            curve="P-256",
            hardware_protected=True,
            exportable=True,
            key_operations=["sign", "verify"],
            release_policy=KeyReleasePolicy(json.dumps(policy).encode()),
        )

    def release(self):
        key = self.releasable("released", self.fixture["policy"])
        for algorithm, oaep in (("RSA_AES_KEY_WRAP_256", hashes.SHA256()), ("CKM_RSA_AES_KEY_WRAP", hashes.SHA1())):
            value = self.client.release_key("released", self.fixture["token"], algorithm=algorithm, nonce="n").value
            answer = json.loads(unbase64url(value.split(".")[1]))
            blob = json.loads(unbase64url(answer["response"]["key"]["key"]["key_hsm"]))
            private = self.unwrap(unbase64url(blob["ciphertext"]), oaep)
            x = private.public_key().public_numbers().x.to_bytes(32, "big")
            check(x == key.key.x, "another key came out")

    def unwrap(self, wrapped, oaep):
        wrapping = serialization.load_pem_private_key(self.fixture["wrappingKey"].encode(), None)
        length = wrapping.key_size // 8
        aes = wrapping.decrypt(wrapped[:length], padding.OAEP(padding.MGF1(oaep), oaep, None))
        private = serialization.load_der_private_key(keywrap.aes_key_unwrap_with_padding(aes, wrapped[length:]), None)
        check(isinstance(private, ec.EllipticCurvePrivateKey), type(private))
        return private

    def release_refused(self):
        self.releasable("kept", self.fixture["refusingPolicy"])
        error = refused(HttpResponseError, lambda: self.client.release_key("kept", self.fixture["token"]))
        check(error.status_code == 403, error.status_code)
        torn = refused(HttpResponseError, lambda: self.client.release_key("kept", self.fixture["token"][:-9]))
        check(torn.status_code in (400, 403), torn.status_code)

    def symmetric_keys(self):
        crypto = self.crypto(self.client.create_oct_key("oct", size=256, hardware_protected=True))
        sealed = crypto.encrypt(EncryptionAlgorithm.a256_gcm, b"plaintext", additional_authenticated_data=b"aad")
        opened = crypto.decrypt(
            EncryptionAlgorithm.a256_gcm,
            sealed.ciphertext,
            iv=sealed.iv,
            authentication_tag=sealed.tag,
            additional_authenticated_data=b"aad",
        )
        check(opened.plaintext == b"plaintext", "A256GCM")
        sealed = crypto.encrypt(EncryptionAlgorithm.a256_cbcpad, b"plaintext", iv=bytes(16))
        opened = crypto.decrypt(EncryptionAlgorithm.a256_cbcpad, sealed.ciphertext, iv=bytes(16))
        check(opened.plaintext == b"plaintext", "A256CBCPAD")
        wrapped = crypto.wrap_key(KeyWrapAlgorithm.aes_256, bytes(range(24)))
        check(crypto.unwrap_key(KeyWrapAlgorithm.aes_256, wrapped.encrypted_key).key == bytes(range(24)), "A256KW")

    def random_bytes(self):
        check(len({self.client.get_random_bytes(32) for _ in range(4)}) == 4, "repeats itself")
        check(len(self.client.get_random_bytes(128)) == 128, "another length")


def unbase64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main():
    job = json.load(sys.stdin)
    for service, url, cases in ((one["service"], one["url"], one["cases"]) for one in job["services"]):
        suite = Suite(url, service == "mhsm", DefaultAzureCredential(), job["application"], job["fixture"])
        for name in cases:
            method = name.replace(",", "").replace(" ", "_")
            result = {"case": name, "on": service, "ok": True, "detail": ""}
            try:
                getattr(suite, "import_" if method == "import" else method)()
            except Exception:
                result.update(ok=False, detail=traceback.format_exc(limit=-4))
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    main()
