/** The regions that resources can be made in, as the list of locations of a subscription tells them. */
interface Region {
  readonly name: string
  readonly displayName: string
  readonly geographyGroup: string
  readonly latitude: string
  readonly longitude: string
  readonly physicalLocation: string
  readonly paired?: string
}

const region = (
  name: string,
  displayName: string,
  geographyGroup: string,
  [latitude, longitude]: readonly [string, string],
  physicalLocation: string,
  paired?: string,
): Region => ({
  name,
  displayName,
  geographyGroup,
  latitude,
  longitude,
  physicalLocation,
  ...(paired !== undefined && { paired }),
})

const REGIONS: readonly Region[] = [
  region('eastus', 'East US', 'US', ['37.3719', '-79.8164'], 'Virginia', 'westus'),
  region('eastus2', 'East US 2', 'US', ['36.6681', '-78.3889'], 'Virginia', 'centralus'),
  region('centralus', 'Central US', 'US', ['41.5908', '-93.6208'], 'Iowa', 'eastus2'),
  region('southcentralus', 'South Central US', 'US', ['29.4167', '-98.5'], 'Texas', 'northcentralus'),
  region('westus', 'West US', 'US', ['37.783', '-122.417'], 'California', 'eastus'),
  region('westus2', 'West US 2', 'US', ['47.233', '-119.852'], 'Washington', 'westcentralus'),
  region('canadacentral', 'Canada Central', 'Canada', ['43.653', '-79.383'], 'Toronto', 'canadaeast'),
  region('northeurope', 'North Europe', 'Europe', ['53.3478', '-6.2597'], 'Ireland', 'westeurope'),
  region('westeurope', 'West Europe', 'Europe', ['52.3667', '4.9'], 'Netherlands', 'northeurope'),
  region('uksouth', 'UK South', 'UK', ['50.941', '-0.799'], 'London', 'ukwest'),
  region('francecentral', 'France Central', 'Europe', ['46.3772', '2.3730'], 'Paris', 'francesouth'),
  region(
    'germanywestcentral',
    'Germany West Central',
    'Europe',
    ['50.110924', '8.682127'],
    'Frankfurt',
    'germanynorth',
  ),
  region('italynorth', 'Italy North', 'Europe', ['45.46888', '9.18109'], 'Milan'),
  region('swedencentral', 'Sweden Central', 'Europe', ['60.67488', '17.14127'], 'Gävle', 'swedensouth'),
  region('switzerlandnorth', 'Switzerland North', 'Europe', ['47.451542', '8.564572'], 'Zurich', 'switzerlandwest'),
  region('uaenorth', 'UAE North', 'Middle East', ['25.266666', '55.316666'], 'Dubai', 'uaecentral'),
  region('centralindia', 'Central India', 'Asia Pacific', ['18.5822', '73.9197'], 'Pune', 'southindia'),
  region('eastasia', 'East Asia', 'Asia Pacific', ['22.267', '114.188'], 'Hong Kong', 'southeastasia'),
  region('southeastasia', 'Southeast Asia', 'Asia Pacific', ['1.283', '103.833'], 'Singapore', 'eastasia'),
  region('japaneast', 'Japan East', 'Asia Pacific', ['35.68', '139.77'], 'Tokyo, Saitama', 'japanwest'),
  region(
    'australiaeast',
    'Australia East',
    'Asia Pacific',
    ['-33.86', '151.2094'],
    'New South Wales',
    'australiasoutheast',
  ),
]

/** `GET /subscriptions/{id}/locations` (Azure REST API, "Subscriptions - List Locations"). */
export function viewLocations(subscriptionId: string) {
  const idOf = (name: string) => `/subscriptions/${subscriptionId}/locations/${name}`
  return REGIONS.map(({ name, displayName, geographyGroup, latitude, longitude, physicalLocation, paired }) => ({
    id: idOf(name),
    name,
    displayName,
    regionalDisplayName: `(${geographyGroup}) ${displayName}`,
    metadata: {
      regionType: 'Physical',
      regionCategory: 'Recommended',
      geographyGroup,
      longitude,
      latitude,
      physicalLocation,
      pairedRegion: paired === undefined ? [] : [{ name: paired, id: idOf(paired) }],
    },
  }))
}
