/* domain_scratch.h - a database with rows for one test of the rules. */
#pragma once

#include "../ledger/rows_scratch.h"

#include "domain/intake.h"
#include "domain/queue.h"
