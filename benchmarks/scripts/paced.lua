-- GET of the path on the command line, by clients that pause: 32 of them ask about 200 times a second.
dofile("plain.lua")

function delay() -- milliseconds before the next request of a connection
   return math.random(120, 200)
end
