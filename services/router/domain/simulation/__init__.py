"""A call centre's day by discrete events: recorded arrivals, services and seats under any order of the queue."""
