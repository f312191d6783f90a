/* domain_scratch.h - a catalog with rows in it, and the rules over it, for one test. */
#pragma once

#include "../ledger/rows_scratch.h"

#include "domain/intake.h"
#include "domain/queue.h"
