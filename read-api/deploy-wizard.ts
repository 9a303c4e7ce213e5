import type { Catalogue, Cloud } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import { type DeployWizardReply, deployWizardReply } from './deploy-wizard-reply.ts'

/** What can be deployed, as the clients' wizards want it. It is the same for the life of the process. */
export const deployWizard = (catalogue: Catalogue): Endpoint => {
  const body = content(catalogue)
  return endpoint({
    method: 'GET',
    path: '/api/content/api/v1/deploy-wizard',
    summary: 'Read what can be deployed',
    tag: 'Catalogue',
    access: 'user',
    needs: 'self',
    replies: { 200: { description: 'Vendors, clouds, sizes, volumes, networks, zones.', schema: deployWizardReply } },
    handle: async () => ({ status: 200, body }),
  })
}

const content = (catalogue: Catalogue): DeployWizardReply => ({
  database: {
    vendors: vendorsOf(catalogue),
    deployment_types_info: 'How the nodes of a datastore share its data.',
    num_nodes_info: 'One of the nodes takes the writes; the others follow it and can take its place.',
  },
  cloud: cloudOf(catalogue),
  instance: instanceOf(catalogue),
  network: networkOf(catalogue),
})

const vendorsOf = ({ vendors, limits }: Catalogue): DeployWizardReply['database']['vendors'] =>
  vendors.map(({ name, code, versions, sizes, info, enabled, beta, types }) => ({
    name,
    code,
    version: versions.at(-1) ?? '',
    versions: [...versions],
    num_nodes: sizes.filter((size) => size <= limits.nodesMax),
    info,
    enabled,
    beta,
    types: types.map((type) => ({ code: type.code, name: type.name, size_hints: {} })),
  }))

const cloudOf = ({ clouds }: Catalogue): DeployWizardReply['cloud'] => ({
  cloud_providers: clouds.map(({ code, name, fullName, group, regions }) => ({
    code,
    name,
    full_name: fullName,
    type: code,
    logo: '',
    group,
    regions: regions.map((region) => ({
      code: region.code,
      display_code: region.displayCode,
      name: region.name,
      country_code: region.countryCode,
      continent_code: region.continentCode,
      city: region.city,
    })),
  })),
  cloud_groups: [...new Set(clouds.map(({ group }) => group))].map((name) => ({ name, label: name, logo: '' })),
})

const perCloud = <T>({ clouds }: Catalogue, of: (cloud: Cloud) => T): Record<string, T> =>
  Object.fromEntries(clouds.map((cloud) => [cloud.code, of(cloud)]))

const instanceOf = (catalogue: Catalogue): DeployWizardReply['instance'] => ({
  instance_sizes: perCloud(catalogue, ({ instances }) =>
    instances.map(({ name, code, type, cpu, ramGb, pricePerHour }) => ({
      name,
      code,
      type,
      cpu,
      ram: ramGb,
      disk_size: 0,
      price: pricePerHour,
    })),
  ),
  instance_sizes_info: 'Each node has this many processors and this much memory, in GB. Prices are per node and hour.',
  volume_types: perCloud(catalogue, ({ volumes }) =>
    volumes.map(({ name, code, info, iops, pricePerGibMonth }) => ({
      name,
      code,
      has_iops: iops !== null,
      info,
      price: pricePerGibMonth,
      iops_price: 0,
    })),
  ),
  volume_types_info: 'Where each node keeps its data. Prices are per GiB and month.',
  volume_sizes: perCloud(catalogue, ({ volumes }) =>
    Object.fromEntries(volumes.map(({ code, sizeGib }) => [code, { ...sizeGib, unit: 'GiB' as const }])),
  ),
  volume_sizes_info: 'The space of each node. It can grow later, and never shrinks.',
  volume_iops: perCloud(catalogue, ({ volumes }) =>
    Object.fromEntries(volumes.flatMap(({ code, iops }) => (iops === null ? [] : [[code, { ...iops }] as const]))),
  ),
  volume_iops_info: 'Reads and writes per second that the volume can do, where that can be chosen.',
})

const networkOf = (catalogue: Catalogue): DeployWizardReply['network'] => {
  const sizes = [...new Set(catalogue.vendors.flatMap((vendor) => vendor.sizes))].toSorted((a, b) => a - b)
  return {
    network: perCloud(catalogue, ({ networks }) =>
      networks.map(({ name, code, info, enabled }) => ({
        name,
        code,
        info,
        enabled,
        // A single node has nothing to fail over to.
        ha_available: Object.fromEntries(sizes.map((size) => [`${size}`, size > 1])),
        vpc_available: false,
        prices: Object.fromEntries(sizes.map((size) => [`${size}`, 0])),
      })),
    ),
    network_info: perCloud(catalogue, () => ''),
    type_info: {},
    vpc_info: {},
    availability_zones: perCloud(catalogue, ({ regions }) =>
      Object.fromEntries(
        regions.map((region) => [region.code, region.zones.map(({ code, name }) => ({ code, name }))]),
      ),
    ),
  }
}
