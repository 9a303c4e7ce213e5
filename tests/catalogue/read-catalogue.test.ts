import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { vendorNamed } from '../../domain/catalogue/catalogue.ts'
import { DEFAULT_CATALOGUE, readCatalogue } from '../../infra/catalogue/read-catalogue.ts'

const test = suite('the catalogue')

const dir = mkdtempSync(join(tmpdir(), 'ccx-catalogue-'))
test.after(() => rmSync(dir, { recursive: true }))

const Loose = z.looseObject({
  vendors: z.array(z.looseObject({ code: z.string(), aliases: z.array(z.string()) })),
  clouds: z.array(z.looseObject({ code: z.string() })),
})
const fileOf = (change: (catalogue: z.infer<typeof Loose>) => unknown): string => {
  const path = join(dir, 'catalogue.yaml')
  writeFileSync(path, stringify(change(Loose.parse(parse(readFileSync(DEFAULT_CATALOGUE, 'utf8'))))))
  return path
}
const faultsOf = (path: string): string => {
  try {
    readCatalogue(path)
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  return ''
}

test('that comes with the control plane offers PostgreSQL on both local clouds', () => {
  const catalogue = readCatalogue()
  for (const name of ['postgres', 'postgresql', 'pgsql', 'PSQL'])
    assert.is(vendorNamed(catalogue, name)?.code, 'postgres')
  assert.equal(
    catalogue.clouds.map(({ code, provider }) => [code, provider]),
    [
      ['local', 'local-process'],
      ['netns', 'network-namespace'],
    ],
  )
  for (const { volumes, regions } of catalogue.clouds) {
    assert.ok(
      volumes.every(({ sizeGib }) => sizeGib.max >= 80),
      'one client sends 80 when nothing was asked for',
    )
    assert.equal(
      regions.map(({ zones }) => zones.map(({ code }) => code)),
      [['a', 'b', 'c']],
    )
  }
})

test('with faults is refused with all of them, each by its place', () => {
  const faults = faultsOf(
    fileOf((catalogue) => ({
      ...catalogue,
      typo: true,
      limits: undefined,
      vendors: [
        { ...catalogue.vendors[0], versions: [15], port: 0 },
        { ...catalogue.vendors[0], code: 'other', engine: 'Über' },
      ],
      clouds: [...catalogue.clouds, catalogue.clouds[0]],
    })),
  )
  for (const place of [
    /typo/,
    /limits/,
    /vendors\[0\]\.versions\[0\]/,
    /vendors\[0\]\.port/,
    /vendors\[1\]\.engine/,
  ]) {
    assert.match(faults, place)
  }
})

test('with one code or one alias twice, or a default out of bounds, is refused', () => {
  assert.match(
    faultsOf(fileOf((it) => ({ ...it, clouds: [...it.clouds, it.clouds[0]] }))),
    /"local" is there twice[\s\S]*clouds\[2\]\.code/,
  )
  assert.match(
    faultsOf(fileOf((it) => ({ ...it, vendors: [...it.vendors, { ...it.vendors[0], code: 'other' }] }))),
    /"postgresql" names a vendor already/,
  )
  const volume = {
    code: 'v',
    name: 'V',
    info: '',
    sizeGib: { min: 5, max: 9, default: 10 },
    iops: null,
    pricePerGibMonth: 0,
  }
  assert.match(
    faultsOf(fileOf((it) => ({ ...it, clouds: [{ ...it.clouds[0], volumes: [volume] }] }))),
    /default must lie between min and max/,
  )
})

test('that is no YAML, or not there, is refused by its name', () => {
  const path = join(dir, 'broken.yaml')
  writeFileSync(path, 'vendors: [')
  assert.match(faultsOf(path), /broken\.yaml cannot be read/)
  assert.match(faultsOf(join(dir, 'absent.yaml')), /absent\.yaml cannot be read/)
})

test.run()
