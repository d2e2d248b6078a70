#pragma once
#include "pol_record_kernels.h"
