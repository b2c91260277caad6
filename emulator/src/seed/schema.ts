import * as v from 'valibot'

/*
 * The shape of a seed. The message of each schema is what it wants, in words; its description is what an editor shows
 * (`seed.schema.json` is made from here). What needs more than one member to judge is in check.ts.
 */

const described = <T extends v.GenericSchema>(schema: T, description: string) =>
  v.pipe(schema, v.description(description))

const guid = v.pipe(v.string('a GUID'), v.uuid('a GUID'))
const text = v.pipe(v.string('a text'), v.nonEmpty('a text that is not empty'))
const flag = v.boolean('true or false')
const time = v.pipe(v.string('a time'), v.isoTimestamp('an ISO 8601 time such as 2026-01-31T00:00:00Z'))
const tags = described(v.record(v.string(), v.string('a text'), 'an object of texts'), 'Name to value.')
const list = <T extends v.GenericSchema>(item: T) => v.optional(v.array(item, 'a list'))
const name = v.pipe(
  v.string('a name'),
  v.regex(/^[A-Za-z0-9][\w. -]{0,89}$/, 'a name: letters, digits, . _ - and blanks'),
)
const vaultName = v.pipe(
  v.string('the name of a vault'),
  v.regex(
    /^(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$/,
    'the name of a vault: 3 to 24 letters, digits and single hyphens that begins with a letter',
  ),
)
const groupName = v.pipe(
  v.string('the name of a resource group'),
  v.regex(/^[-\w.()]{0,89}[-\w()]$/, 'the name of a resource group: letters, digits and -_.()'),
)
const location = described(v.optional(text), 'Default: westeurope.')
const principal = described(
  text,
  'Who: "admin", the name of an application or managed identity, the userPrincipalName of a user, or an object id.',
)
const origin = v.pipe(
  v.string('an origin'),
  v.regex(/^https?:\/\/[^/\s]+\/?$/, 'an origin such as https://attest.example:8443'),
)

const admin = v.strictObject({
  clientId: v.optional(guid),
  objectId: v.optional(guid),
  clientSecret: v.optional(v.pipe(text, v.maxLength(1024, 'at most 1024 characters'))),
})

const federatedCredential = v.strictObject({
  name: text,
  issuer: described(text, 'The URL that the iss of the token must be, exactly.'),
  subject: text,
  audiences: described(v.optional(v.array(text, 'a list')), 'One audience. Default: api://AzureADTokenExchange.'),
})

const application = v.strictObject({
  name: described(name, 'Display name, and how the rest of the seed refers to it.'),
  clientId: v.optional(guid),
  objectId: described(v.optional(guid), 'Of its service principal.'),
  secret: v.optional(text),
  certificates: described(
    list(text),
    'PEM of certificates whose keys sign its assertions; or paths of files that hold it.',
  ),
  federatedCredentials: list(federatedCredential),
  publicClient: described(v.optional(flag), 'Signs users in and has no credential of its own.'),
})

const user = v.strictObject({
  userPrincipalName: v.pipe(
    v.string('a name such as ada@skerry.example'),
    v.regex(/^[^\s@]{1,64}(@[A-Za-z0-9][A-Za-z0-9.-]*)?$/, 'a name such as ada@skerry.example'),
  ),
  displayName: v.optional(text),
  password: described(v.optional(text), 'Absent: signs in at the local page or by skerry approve alone.'),
  objectId: v.optional(guid),
})

const managedIdentity = v.strictObject({
  name: described(name, 'Of the user-assigned identity, and how the rest of the seed refers to it.'),
  resourceGroup: groupName,
  location,
  clientId: v.optional(guid),
  principalId: v.optional(guid),
  federatedCredentials: list(federatedCredential),
  tags: v.optional(tags),
})

const resourceGroup = v.strictObject({ name: groupName, location, tags: v.optional(tags) })

const vaultMembers = {
  name: vaultName,
  resourceGroup: groupName,
  location,
  softDeleteRetentionInDays: described(
    v.optional(
      v.pipe(v.number('7 to 90'), v.integer('whole days'), v.minValue(7, 'at least 7'), v.maxValue(90, 'at most 90')),
    ),
    'Default: 90.',
  ),
  enablePurgeProtection: described(v.optional(flag), 'Default: false.'),
  tags: v.optional(tags),
}

const accessPolicy = v.strictObject({
  principal,
  keys: described(v.array(text, 'a list of permissions'), 'Permissions on keys: get, list, create, release, all …'),
})

const vault = v.strictObject({
  ...vaultMembers,
  sku: described(v.optional(v.picklist(['standard', 'premium'], 'standard or premium')), 'Default: premium.'),
  enableRbacAuthorization: described(v.optional(flag), 'Default: true, unless there are access policies.'),
  accessPolicies: list(accessPolicy),
})

const managedHsm = v.strictObject({
  ...vaultMembers,
  sku: described(
    v.optional(v.picklist(['Standard_B1', 'Custom_B32'], 'Standard_B1 or Custom_B32')),
    'Default: Standard_B1.',
  ),
  initialAdmins: described(
    list(principal),
    'Who get Managed HSM Administrator at /. Absent: admin, with the crypto roles as well.',
  ),
})

const attestationProvider = v.strictObject({
  host: v.pipe(
    v.string('a host name'),
    v.regex(/^[a-z0-9-]+\.[a-z0-9]+\.attest\.azure\.net$/, 'a host such as contoso.weu.attest.azure.net'),
  ),
})

const role = described(text, 'Name or GUID of the role: Key Vault Crypto Officer.')

const roleAssignment = v.strictObject({
  principal,
  role,
  scope: described(
    text,
    'subscription, resourceGroups/NAME, vaults/NAME, vaults/NAME/keys/KEY, managedHsms/NAME, or a full ARM id.',
  ),
})

const localRoleAssignment = v.strictObject({
  managedHsm: vaultName,
  principal,
  role: described(text, 'Name or GUID of the role: Managed HSM Crypto User.'),
  scope: described(
    v.optional(v.pipe(v.string('a scope'), v.regex(/^\/(keys(\/[0-9A-Za-z-]{1,127})?)?$/, '/, /keys or /keys/NAME'))),
    'Default: /.',
  ),
})

const lifetimeAction = v.strictObject({
  action: v.picklist(['Rotate', 'Notify'], 'Rotate or Notify'),
  timeAfterCreate: v.optional(text),
  timeBeforeExpiry: v.optional(text),
})

const keyMembers = {
  vault: described(v.optional(vaultName), 'Where it is; or managedHsm.'),
  managedHsm: v.optional(vaultName),
  name: v.pipe(
    v.string('the name of a key'),
    v.regex(/^[0-9A-Za-z-]{1,127}$/, 'the name of a key: letters, digits, hyphens'),
  ),
  kty: described(
    v.optional(
      v.picklist(
        ['RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'oct', 'oct-HSM'],
        'a key type: RSA, RSA-HSM, EC, EC-HSM, oct or oct-HSM',
      ),
    ),
    'Needed unless the key is imported.',
  ),
  keySize: described(
    v.optional(v.pipe(v.number('a number of bits'), v.integer('a number of bits'))),
    'Bits of RSA and oct.',
  ),
  curve: described(
    v.optional(v.picklist(['P-256', 'P-256K', 'P-384', 'P-521'], 'a curve: P-256, P-256K, P-384 or P-521')),
    'Of EC. Default: P-256.',
  ),
  importFrom: described(v.optional(text), 'Path of a private JWK (RFC 7517), from the folder of the seed file.'),
  hsm: described(v.optional(flag), 'Imports it as a hardware key.'),
  keyOps: list(text),
  exportable: described(v.optional(flag), 'Default: whether there is a release policy.'),
  releasePolicy: described(
    v.optional(v.looseObject({}, 'a release policy: an object with version and anyOf')),
    'The policy itself, as JSON.',
  ),
  immutable: described(v.optional(flag), 'Whether the release policy can never change.'),
  enabled: described(v.optional(flag), 'Default: true.'),
  notBefore: v.optional(time),
  expires: v.optional(time),
  rotationPolicy: v.optional(
    v.strictObject({
      lifetimeActions: v.array(lifetimeAction, 'a list of lifetime actions'),
      expiryTime: described(v.optional(text), 'ISO 8601: how long after its creation a version expires.'),
    }),
  ),
  tags: v.optional(tags),
}
const key = v.strictObject(keyMembers)

const settings = v.strictObject({
  authorities: described(
    list(origin),
    'Origins that the vault may ask for metadata and keys, beside those of --authority.',
  ),
  authorityCheck: described(
    v.optional(v.picklist(['atRelease', 'atCreation'], 'atRelease or atCreation')),
    'When the authorities of a release policy are asked for their keys. Default: atRelease.',
  ),
  releasePolicy: v.optional(
    v.strictObject({
      operators: v.optional(v.picklist(['all', 'equals-only'], 'all or equals-only')),
      nesting: v.optional(v.picklist(['allowed', 'refused'], 'allowed or refused')),
      trailingSlash: v.optional(v.picklist(['ignored', 'significant'], 'ignored or significant')),
      coercion: v.optional(v.picklist(['canonical', 'typed'], 'canonical or typed')),
    }),
  ),
  attestation: v.optional(
    v.strictObject({
      trust: described(
        v.optional(v.picklist(['emulator', 'amd', 'both'], 'emulator, amd or both')),
        'Whose processors are believed: those of this emulator (emulator), those under the root keys of their makers, AMD and, for SGX, Intel (amd), or both. Default: emulator.',
      ),
      endorsers: described(
        list(
          v.strictObject({
            issuer: described(v.pipe(text, v.startsWith('did:x509:', 'a did:x509')), 'did:x509.'),
            feed: text,
            minimumSvn: v.optional(
              v.pipe(v.number('a number'), v.integer('a whole number'), v.minValue(0, '0 or more')),
            ),
          }),
        ),
        'Who may endorse utility VM images, beside the emulator.',
      ),
      signingKeyLifetime: described(
        v.optional(
          v.pipe(text, v.regex(/^(?:P[1-9]\d{0,4}[DWMY]|[1-9]\d{0,4}[hdw])$/, 'a duration such as P90D, 90d or 12h')),
        ),
        'How long a key signs tokens. Default: until it is told otherwise.',
      ),
    }),
  ),
  eventWebhook: described(v.optional(v.pipe(text, v.url('a URL'))), 'Where Event Grid events of vaults are posted.'),
})

const federationIssuer = v.strictObject({
  issuer: text,
  jwks: v.strictObject({ keys: v.array(v.looseObject({ kty: text }, 'a JWK'), 'a list of public keys') }),
})

export const SeedSchema = v.pipe(
  v.strictObject({
    $schema: v.optional(v.string('the place of the schema')),
    tenantId: described(v.optional(guid), 'Default: random.'),
    subscriptionId: described(v.optional(guid), 'Default: random.'),
    admin: described(
      v.optional(admin),
      'Owner and Key Vault Administrator of the subscription. What is not given is random, and printed by skerry up.',
    ),
    applications: list(application),
    users: list(user),
    managedIdentities: described(
      list(managedIdentity),
      'User-assigned. The metadata service of this machine and skerry run answer for them, for the first one unasked.',
    ),
    federationIssuers: described(
      list(federationIssuer),
      'Issuers of federated tokens with their keys, so that nobody is asked for them.',
    ),
    resourceGroups: described(list(resourceGroup), 'Those that a vault or identity names are made in any case.'),
    vaults: list(vault),
    managedHsms: list(managedHsm),
    attestationProviders: described(list(attestationProvider), 'Beside the shared ones of every region.'),
    roleAssignments: list(roleAssignment),
    localRoleAssignments: described(list(localRoleAssignment), 'In the local RBAC of a managed HSM.'),
    keys: list(key),
    settings: v.optional(settings),
  }),
  v.title('Skerry seed'),
  v.description('What an emulator holds from its start, in the place of the default.'),
)

/** What an emulator holds from its start. */
export type SeedDocument = v.InferOutput<typeof SeedSchema>
type Item<T> = T extends readonly (infer U)[] ? U : never
export type SeedKey = Item<NonNullable<SeedDocument['keys']>>
export type SeedVault = Item<NonNullable<SeedDocument['vaults']>>
export type SeedManagedHsm = Item<NonNullable<SeedDocument['managedHsms']>>
export type SeedFederatedCredential = Item<
  NonNullable<Item<NonNullable<SeedDocument['applications']>>['federatedCredentials']>
>
