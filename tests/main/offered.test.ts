import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { engines } from '../../infra/engines/index.ts'
import { checkOffered } from '../../infra/main/parts/offered.ts'
import { localProviders } from '../support/local-providers.ts'

const offer = suite('what the catalogue offers')
const catalogue = readCatalogue()

offer('is there, by default', () => {
  checkOffered(catalogue, 'provider', localProviders('/nonexistent').map(({ name }) => name))
  checkOffered(catalogue, 'engine', engines.map(({ name }) => name))
})

offer('is refused where a cloud wants a provider that there is not', () => {
  const [cloud] = catalogue.clouds
  assert.ok(cloud)
  const clouds = [{ ...cloud, code: 'far', provider: 'nowhere' }]
  assert.throws(() => checkOffered({ ...catalogue, clouds }, 'provider', ['here']), /offers far by the provider nowhere/)
})

offer('is refused where a vendor wants an engine that there is not', () => {
  assert.throws(() => checkOffered(catalogue, 'engine', ['steam']), /by the engine .* there is steam/)
})

offer.run()
