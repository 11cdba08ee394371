export const secretArn = (name: string) =>
  `arn:aws:secretsmanager:eu-central-1:123456789012:secret:${name}-a1B2c3`;

/** The file of the site east, whose relay runs in a VPC. */
export const SITE_IN_VPC = `
# testing123 was what we had in the laboratory
site: east
relay:
  coa: 0.0.0.0:3799
  http: 0.0.0.0:8080
  vpc: { id: vpc-0123456789abcdef0, subnets: [subnet-0a1b2c3d, subnet-0a1b2c3e] }
clients: [{ name: policy, source: [10.0.0.9/24, 10.0.0.0/24, 10.1.0.7], secret: "${secretArn('east')}:policy" }]
accounting: [{ address: 10.0.0.7:1813, secret: "${secretArn('accounting')}" }]
nases: [{ name: bng-1, address: 10.0.1.1:3799, secret: "${secretArn('east')}:bng-1", identifiedBy: [bng-1] }]
`;
