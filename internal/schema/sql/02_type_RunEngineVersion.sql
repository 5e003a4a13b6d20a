CREATE TYPE "RunEngineVersion" AS ENUM ('V1', 'V2');
