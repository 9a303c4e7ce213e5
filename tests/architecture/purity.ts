/** A node of the syntax tree, as far as the rule looks at it (ESTree). */
type Node = {
  readonly type: string
  readonly name?: string
  readonly async?: boolean
  readonly callee?: Node
  readonly object?: Node
  readonly property?: Node
  readonly arguments?: readonly Node[]
}
type Context = { readonly report: (fault: { readonly node: Node; readonly message: string }) => void }

const CLOCK = 'There is no clock here: take `now` from the command or the input.'
const DICE = 'There are no dice here: take the random value or the id from the command or the input.'
const WAIT = 'Nothing waits here: return an order or an event, and let the shell around it do the waiting.'

const is = (node: Node | undefined, name: string): boolean => node?.type === 'Identifier' && node.name === name

/** What a linter rule finds in code that must give the same answer to the same question, always and at once. */
const pure = {
  create: ({ report }: Context) => {
    const waits = (node: Node): void => {
      if (node.async === true) report({ node, message: WAIT })
    }
    return {
      FunctionDeclaration: waits,
      FunctionExpression: waits,
      ArrowFunctionExpression: waits,
      AwaitExpression: (node: Node) => report({ node, message: WAIT }),
      NewExpression: (node: Node) => {
        if (is(node.callee, 'Date') && node.arguments?.length === 0) report({ node, message: CLOCK })
      },
      CallExpression: (node: Node) => {
        if (is(node.callee, 'Date')) report({ node, message: CLOCK })
      },
      MemberExpression: (node: Node) => {
        const { object, property } = node
        if (is(object, 'Date') && is(property, 'now')) report({ node, message: CLOCK })
        if (is(object, 'Math') && is(property, 'random')) report({ node, message: DICE })
        if (is(object, 'crypto')) report({ node, message: DICE })
      },
    }
  },
}

export default { meta: { name: 'ccx' }, rules: { pure } }
