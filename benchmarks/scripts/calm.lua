-- The mix with pauses: the server has threads to spare, so what is measured is how quickly one is found.
dofile("mix.lua")

function delay() -- milliseconds before the next request of a connection
   return math.random(0, 40)
end
