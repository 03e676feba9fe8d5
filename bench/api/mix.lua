-- SPDX-FileCopyrightText: 2026 tracestack contributors
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Requests for wrk: nine for the user that there is, then one for a user that there is not.
local good, bad
local sent = 0

function init()
  good = wrk.format("GET", "/api/v1/users/b")
  bad = wrk.format("GET", "/api/v1/users/a")
end

function request()
  sent = sent + 1
  if sent % 10 == 0 then
    return bad
  end
  return good
end
